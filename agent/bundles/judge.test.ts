import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareRevision } from '../../protocol/ids.ts'
import { type BundleDecision, type BundleHolder, type IncomingBundle, isTold, judgeBundle } from './judge.ts'

const ids = { meshId: '1'.repeat(32), nodeId: '2'.repeat(32), enrolmentId: '3'.repeat(32), operatorKey: 'operator' }
const held = (term: number, revision: number, digest: string) => ({ term, revision, digest })
const own = (given: Partial<BundleHolder> = {}): BundleHolder => ({
  ...ids,
  term: 2,
  refused: [],
  applied: held(2, 10, 'A'),
  ...given,
})
const incoming = (
  term: number,
  revision: number,
  digest: string,
  given: Partial<IncomingBundle> = {},
): IncomingBundle => ({ ...ids, ...held(term, revision, digest), switch: 'onApply', ...given })

const staged = own({ staged: held(2, 12, 'S') })
const told = own({ told: { term: 2, revision: 12 } })
const refuse = (reason: string) => ({ do: 'refuse', reason }) as BundleDecision
const stage = (thenSwitch: boolean): BundleDecision => ({ do: 'stage', thenSwitch })
const refile = (dropStaged: boolean): BundleDecision => ({ do: 'refile', dropStaged })

test.each<[string, BundleHolder, IncomingBundle, BundleDecision]>([
  ['of another mesh', own(), incoming(2, 11, 'B', { meshId: 'x' }), refuse('WrongMesh')],
  ['of another node', own(), incoming(2, 11, 'B', { nodeId: 'x' }), refuse('WrongNode')],
  ['of an earlier enrolment', own(), incoming(2, 11, 'B', { enrolmentId: 'x' }), refuse('WrongEnrolment')],
  ['naming another operator', own(), incoming(2, 11, 'B', { operatorKey: 'x' }), refuse('WrongOperatorKey')],
  ['of a term below its own', own(), incoming(1, 99, 'B'), refuse('OldTerm')],
  ['of a lower term, though of the applied content', own(), incoming(1, 10, 'A'), refuse('OldTerm')],
  ['of a content it went back from', own({ refused: ['B'] }), incoming(2, 11, 'B'), refuse('RevertedContent')],
  [
    'of a content it went back from, on receipt',
    own({ refused: ['B'] }),
    incoming(3, 11, 'B', { switch: 'onReceipt' }),
    refuse('RevertedContent'),
  ],
  ['newer', own(), incoming(2, 11, 'B'), stage(false)],
  ['of a higher term and a lower revision', own(), incoming(3, 1, 'B'), stage(false)],
  ['newer, on receipt', own(), incoming(2, 11, 'B', { switch: 'onReceipt' }), stage(true)],
  ['newer and already told', told, incoming(2, 12, 'B'), stage(true)],
  ['above what was told', told, incoming(2, 13, 'B'), stage(false)],
  ['of a higher term than what was told', told, incoming(3, 11, 'B'), stage(false)],
  ['the first', own({ applied: undefined }), incoming(2, 1, 'B'), stage(true)],
  ['the applied revision with another content', own(), incoming(2, 10, 'B'), refuse('NotNewer')],
  ['an older revision', own(), incoming(2, 9, 'B'), refuse('NotNewer')],
  ['the applied one again', own(), incoming(2, 10, 'A'), refile(false)],
  ['the applied content under a new term', own(), incoming(3, 10, 'A', { switch: 'onReceipt' }), refile(false)],
  ['the applied content of an older revision', own(), incoming(2, 9, 'A'), refuse('NotNewer')],
  ['the applied content while another is staged', staged, incoming(2, 10, 'A'), refile(false)],
  ['the applied content, newer than what is staged', staged, incoming(2, 13, 'A'), refile(true)],
  ['between applied and staged', staged, incoming(2, 11, 'B'), refuse('NotNewer')],
  ['the staged revision with another content', staged, incoming(2, 12, 'B'), refuse('NotNewer')],
  ['the staged one again', staged, incoming(2, 12, 'S'), stage(false)],
  ['the staged content, on receipt', staged, incoming(2, 12, 'S', { switch: 'onReceipt' }), stage(true)],
  ['the staged content under a new term', staged, incoming(3, 12, 'S'), stage(false)],
  ['newer than what is staged', staged, incoming(2, 13, 'B'), stage(false)],
])('a bundle %s', (_, holder, bundle, decision) => {
  expect(judgeBundle(holder, bundle)).toEqual(decision)
})

test('what is held never goes back, whatever comes in whatever order', () => {
  const mark = fc.record({ term: fc.integer({ min: 1, max: 4 }), revision: fc.integer({ min: 1, max: 6 }) })
  const bundle = fc.record({
    at: mark,
    digest: fc.constantFrom('A', 'B', 'C', 'D'),
    onReceipt: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(bundle, { maxLength: 30 }), (bundles) => {
      let holder = own({ term: 1, applied: held(1, 1, 'A') })
      for (const { at, digest, onReceipt } of bundles) {
        const document = incoming(at.term, at.revision, digest, { switch: onReceipt ? 'onReceipt' : 'onApply' })
        const decision = judgeBundle(holder, document)
        if (decision.do === 'refuse') continue
        expect(at.term).toBeGreaterThanOrEqual(holder.term)
        expect(compareRevision(at, holder.applied!)).toBeGreaterThanOrEqual(0)
        const next = { ...holder, term: at.term }
        if (decision.do === 'refile') {
          expect(digest).toBe(holder.applied!.digest)
          holder = {
            ...next,
            applied: held(at.term, at.revision, digest),
            ...(decision.dropStaged && { staged: undefined }),
          }
        } else if (decision.thenSwitch)
          holder = { ...next, applied: held(at.term, at.revision, digest), staged: undefined }
        else holder = { ...next, staged: held(at.term, at.revision, digest) }
        if (holder.staged) expect(compareRevision(holder.staged, holder.applied!)).toBeGreaterThan(0)
      }
    }),
  )
})

test('an APPLY of a reign covers its own bundles and those of earlier ones', () => {
  expect(isTold({ term: 2, revision: 5 }, { term: 2, revision: 5 })).toBe(true)
  expect(isTold({ term: 2, revision: 5 }, { term: 1, revision: 9 })).toBe(true)
  expect(isTold({ term: 2, revision: 5 }, { term: 3, revision: 1 })).toBe(false)
  expect(isTold(undefined, { term: 1, revision: 1 })).toBe(false)
})
