// A hundred and twenty peers of one hub, each a host of its own: what a word to all of them takes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { summarise } from '../../bench/stats.ts'
import { type Crowd, gatherCrowd } from '../../lab/crowd/crowd.ts'
import { type Teller, tellCrowd } from '../../lab/crowd/telling.ts'

const PEERS = 120
const ROUNDS = 5

export function crowdScenario(): void {
  describe(`${PEERS} peers`, () => {
    let crowd: Crowd
    beforeAll(async () => {
      crowd = await gatherCrowd(PEERS)
    })
    afterAll(() => crowd?.end())

    test.each<[string, Teller]>([
      ['a command to 255', 'ppn'],
      ['a command for one, with a copy for each of the others', 'copies'],
    ])('%s reaches everybody', async (what, teller) => {
      const { latencies, rounds, lost } = await tellCrowd(crowd, teller, ROUNDS)
      const { median, p99 } = summarise(latencies)
      const figures = [`median ${median.toFixed(1)} ms`, `p99 ${p99.toFixed(1)} ms`, `${lost.length} lost`]
      process.stdout.write(`${what}, ${PEERS} peers, ${rounds.length} times: ${figures.join(', ')}\n`)
      expect(lost).toEqual([])
    })
  })
}
