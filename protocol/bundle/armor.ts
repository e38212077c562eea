import { armorAs, dearmorAs } from '../armor.ts'

const BUNDLE = 'PPN BUNDLE'

/** A sealed bundle as text. */
export const armorBundle = (bytes: Uint8Array): string => armorAs(BUNDLE, bytes)

/** Throws BadArmor. */
export const dearmorBundle = (text: string): Uint8Array => dearmorAs(BUNDLE, text)
