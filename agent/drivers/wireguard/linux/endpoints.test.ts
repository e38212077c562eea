import { expect, test } from 'vitest'
import { decideEndpoint, type EndpointQuestion } from './endpoints.ts'
import type { SeenPeer } from './seen.ts'

const at = (endpoint?: string): SeenPeer => ({
  ...{ publicKey: 'k', presharedKey: false, allowedIPs: [], rxBytes: 0, txBytes: 0, persistentKeepalive: 0 },
  ...(endpoint !== undefined && { endpoint }),
})
const [HERE, THERE, ELSEWHERE] = ['192.0.2.1:1', '192.0.2.2:1', '192.0.2.3:1'] as [string, string, string]

/** A peer declared as hub:1, which leads HERE, where it is, and heard from a moment ago. */
const question = (given: Partial<EndpointQuestion>): EndpointQuestion => ({
  declared: 'hub:1',
  remembered: { declared: 'hub:1', endpoint: HERE },
  seen: at(HERE),
  ageSeconds: 5,
  leadsTo: [HERE],
  nextTurn: false,
  ...given,
})

test.each<[string, Partial<EndpointQuestion>, ReturnType<typeof decideEndpoint>]>([
  ['all as declared', {}, {}],
  ['roamed and fresh', { seen: at(THERE), ageSeconds: 179 }, {}],
  ['roamed and stale', { seen: at(THERE), ageSeconds: 180 }, { endpoint: HERE }],
  ['roamed and never heard', { seen: at(THERE), ageSeconds: undefined }, { endpoint: HERE }],
  ['the name leads elsewhere now, and it is fresh', { leadsTo: [THERE] }, {}],
  ['the name leads elsewhere now, and it is stale', { leadsTo: [THERE], ageSeconds: 200 }, { endpoint: THERE }],
  ['declared anew', { declared: 'new:1', leadsTo: [THERE] }, { endpoint: THERE, renew: true }],
  ['declared anew, where it is already', { declared: 'new:1' }, {}],
  ['declared for the first time', { remembered: {}, leadsTo: [THERE] }, { endpoint: THERE, renew: true }],
  ['declared anew, not resolved', { declared: 'new:1', leadsTo: [] }, {}],
  ['found on a device of which nothing is remembered', { remembered: undefined, seen: at(THERE) }, {}],
  ['declared no more', { declared: undefined, leadsTo: [] }, {}],
  ['new', { seen: undefined, remembered: undefined, ageSeconds: undefined }, { endpoint: HERE }],
  ['new, not resolved, remembered', { seen: undefined, leadsTo: [] }, { endpoint: HERE }],
  ['new, not declared, remembered', { seen: undefined, declared: undefined, leadsTo: [] }, { endpoint: HERE }],
  ['new and nowhere', { seen: undefined, remembered: undefined, leadsTo: [] }, {}],
  ['silent, one address', { ageSeconds: 200, nextTurn: true }, {}],
  ['silent, several', { ageSeconds: 200, nextTurn: true, leadsTo: [HERE, THERE] }, { endpoint: THERE }],
  ['silent, around', { seen: at(THERE), ageSeconds: 200, nextTurn: true, leadsTo: [HERE, THERE] }, { endpoint: HERE }],
  ['silent, not its turn', { ageSeconds: 200, leadsTo: [HERE, THERE] }, {}],
  ['fresh, several', { nextTurn: true, leadsTo: [ELSEWHERE, HERE] }, {}],
])('%s', (_, given, answer) => {
  expect(decideEndpoint(question(given))).toEqual(answer)
})
