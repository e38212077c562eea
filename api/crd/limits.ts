export const LIMITS = {
  /** int64 fits, but a JavaScript number does not hold more than this exactly. */
  int: Number.MAX_SAFE_INTEGER,
} as const
