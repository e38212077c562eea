/** Milliseconds on CLOCK_MONOTONIC, which every process of this machine shares. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6
