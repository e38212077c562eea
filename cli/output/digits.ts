/** Six digits as people read them to each other: `482 913`. */
export const spaced = (digits: string): string => `${digits.slice(0, 3)} ${digits.slice(3)}`
