// What lib/binding.js requires: the addon itself, and the packages that contain nothing else.
declare module '*.node'
declare module 'omnichannel-link-*'
