// What of an authority's facts is written where it arrives.
import type { Term } from '../../protocol/ids.ts'
import { AUDIT_HEAD_RECORD } from '../audit-stream.ts'
import { FILE_RECORDS } from '../main/file-records.ts'
import { MARK_RECORD } from './mark.ts'
import { type Fact, type UidMap, withUids } from './uids.ts'

/**
 * So far above the last term does the next reign begin. The place left behind gains one with every start, so it takes as
 * many starts against its mark, each unheard, to catch up. Not more: a node follows 16 terms by itself (section
 * 7.1), and has to be given its bundle again beyond that.
 */
export const TERM_LEAP = 8

/** Facts of a place, not of the authority: its mark, where its audit stands, the files of a folder that it has not. */
export const ofTheAuthority = ({ key }: Pick<Fact, 'key'>): boolean =>
  key !== MARK_RECORD && key !== AUDIT_HEAD_RECORD && !key.startsWith(FILE_RECORDS)

export function factsOnArrival(facts: readonly Fact[], uids: UidMap): Fact[] {
  return facts.filter(ofTheAuthority).map((fact) => {
    if (fact.key === 'term') return { key: 'term', value: (fact.value as Term) + TERM_LEAP }
    return withUids(fact, uids)
  })
}
