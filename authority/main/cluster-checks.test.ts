import { expect, test } from 'vitest'
import type { StoreHealth } from '../../controllers/ports/store.ts'
import { type ClusterState, clusterChecks, WATCH_FRESH_MS } from './cluster-checks.ts'

const HEALTH: StoreHealth = { synced: true, lastReadMs: 0, watching: 'events', problems: [] }
const NOW_MS = 1_000_000

function failed(state: Partial<ClusterState> & { heard?: [string, number][]; health?: Partial<StoreHealth> }) {
  const { heard = [['Node', NOW_MS]], health = {}, ...rest } = state
  const store = { health: () => ({ ...HEALTH, ...health }), heard: () => new Map(heard) }
  const checks = clusterChecks({
    ...{ store, clock: { monotonic: () => NOW_MS }, leads: false, holder: 'pod-b', backend: undefined },
    ...rest,
  })
  return checks.flatMap(({ name, why }) => (why === undefined ? [] : [name]))
}
const leader = (health: object) => ({ health: () => health as never })

test('a standby is ready while its watches are fresh', () => {
  expect(failed({})).toEqual([])
  expect(
    failed({
      heard: [
        ['Node', NOW_MS - WATCH_FRESH_MS],
        ['Archive', NOW_MS],
      ],
    }),
  ).toEqual([])
  expect(
    failed({
      heard: [
        ['Node', NOW_MS - WATCH_FRESH_MS - 1],
        ['Archive', NOW_MS],
      ],
    }),
  ).toEqual(['watch-node'])
  expect(
    failed({
      heard: [
        ['Node', 0],
        ['Archive', NOW_MS],
      ],
    }),
  ).toEqual(['watch-node'])
  expect(failed({ health: { unreadable: 'Node: 403' } })).toEqual(['api-server'])
  expect(failed({ store: undefined })).toEqual(['api-server'])
})

test('a leader that waits for its node to have an address is ready; one that is superseded is not', () => {
  const waiting = { superseded: false, serving: false, servingReason: 'no address', term: 0 }
  expect(failed({ leads: true, backend: leader(waiting) })).toEqual([])
  expect(failed({ leads: true, backend: leader({ ...waiting, superseded: true }) })).toEqual(['newest'])
})
