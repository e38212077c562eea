import type { SequenceMark } from '../../protocol/ids.ts'

const LAST_SEQUENCE = 0xffff_ffff

/** The lowest mark above this one. */
export function above({ term, sequence }: SequenceMark): SequenceMark {
  return sequence < LAST_SEQUENCE ? { term, sequence: sequence + 1 } : { term: term + 1, sequence: 0 }
}
