// A process that does nothing: the event loop's own delay.
export const open = () => ({ run: () => {} })
