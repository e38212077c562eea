// Why a machine was not let in, in words that both sides of a ceremony print.

export const CEREMONY_REFUSALS = {
  Busy: 'another machine is in the middle of this ceremony',
  Denied: 'the operator refused it',
  DigitsDiffer: 'the digits on the two screens differ: somebody may be in between',
  Expired: 'the time for it is over',
  Burned: 'too many tries with another code, or too many lines lost at the digits',
  CodeWrong: 'the machine there shows another code',
  Used: 'the code was used by another machine',
  KeyEnrolledElsewhere: 'a key of this machine is enrolled under another name',
  IdentityDiffers: 'the name belongs to another machine; to replace it, say so in the Pairing (replace: true)',
  RegistryBehind: 'the authority has lost lines of its registry and enrols nobody until that is mended',
  KeySevered:
    'a key of this machine is of one that was severed: it is refused for good; make new ones (ppn agent --purge)',
  Withdrawn: 'the Pairing was deleted',
} as const
/** Failed confirmations of its code that burn a Pairing (DESIGN 7.4). */
export const BURNED_AT = 5
/**
 * Lines of one ceremony on which the digits were within the other side's reach. Who knows a leaked code and stands in
 * between draws new digits with every line, and hangs up until two are the same: so many draws, and no more.
 */
export const MOST_DRAWS = 8
export type CeremonyRefusal = keyof typeof CEREMONY_REFUSALS
