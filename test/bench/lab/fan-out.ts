// Telling 120 nodes something, inside the same tunnels: the authority's command sender, and two brokers on the hub.
import { type Crowd, gatherCrowd } from '../../lab/crowd/crowd.ts'
import { type Subscribers, subscribe } from '../../lab/crowd/subscribers.ts'
import { type Teller, tellCrowd } from '../../lab/crowd/telling.ts'
import { summarise } from '../stats.ts'
import type { Figure } from './figures.ts'

const NAMES: Record<Teller, string> = {
  ppn: 'ppn, PING to 255',
  copies: 'ppn, a command for one and its copies, paced',
  nats: 'NATS, one subject',
  mqtt: 'Mosquitto, one topic, QoS 0',
}

/** Every teller for so many rounds, one after the other, with nobody else connected. */
export async function fanOut(count: number, rounds: number, say: (line: string) => void): Promise<Figure[]> {
  const crowd = await gatherCrowd(count)
  say(`${count} peers; all heard ${(crowd.gatheredMs / 1000).toFixed(1)} s after the hub was configured`)
  try {
    const figures: Figure[] = []
    for (const teller of Object.keys(NAMES) as Teller[]) figures.push(await row(crowd, teller, rounds))
    return figures
  } finally {
    await crowd.end()
  }
}

async function row(crowd: Crowd, teller: Teller, rounds: number): Promise<Figure> {
  let subscribers: Subscribers | undefined
  if (teller === 'nats' || teller === 'mqtt') subscribers = await subscribe(crowd, teller)
  try {
    const { latencies, lost } = await tellCrowd(crowd, teller, rounds)
    const met = (f: Figure) => f.lost === 0 && summarise(f.samples).p99 <= 30
    return {
      what: `${crowd.members.length} told`,
      by: NAMES[teller],
      samples: latencies,
      lost: lost.length,
      of: rounds * crowd.members.length,
      ...(teller === 'ppn' || teller === 'copies' ? { goal: { text: 'p99 30 ms, 0 lost', met } } : {}),
    }
  } finally {
    await subscribers?.end()
  }
}
