// Modules that lib/binding.js requires: the addon itself, and packages that contain nothing else.
declare module '*.node'
declare module 'omnichannel-link-*'
