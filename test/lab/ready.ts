// Waiting for what a fleet says of itself, through its authority.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Condition } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { fleetReadiness, verdictOf } from '../../cli/up/readiness.ts'
import type { LabFleet } from './fleet.ts'

const LOOK_MS = 50

/** Resolves with how long it took, ms; rejects with what was last seen. */
async function until(withinMs: number, what: () => Promise<true | string>): Promise<number> {
  const begunMs = performance.now()
  let seen: true | string = 'nothing'
  for (;;) {
    try {
      seen = await what()
    } catch (error) {
      // An authority that is being restarted does not answer.
      seen = String(error)
    }
    const tookMs = performance.now() - begunMs
    if (seen === true) return tookMs
    if (tookMs > withinMs) throw new Error(`not within ${withinMs} ms; last seen: ${seen}`)
    await sleep(LOOK_MS)
  }
}

/** Everything declared is Ready. */
export async function fleetReady(fleet: Pick<LabFleet, 'admin'>, withinMs = 90_000): Promise<number> {
  return await until(withinMs, async () => {
    const client = await fleet.admin()
    const objects = await client.objects({})
    const { problems } = (await client.health()).store
    const readiness = fleetReadiness(objects, problems)
    if (objects.length > 0 && readiness.ready) return true
    return readiness.waiting.map((w) => `${w.name} ${w.reason}: ${w.message}`).join('; ')
  })
}

/** A node's `type` condition has this reason. */
export async function nodeSays(
  fleet: LabFleet,
  node: string,
  type: string,
  reason: string | RegExp,
  withinMs = 90_000,
): Promise<number> {
  return await until(withinMs, async () => {
    const [object] = await (await fleet.admin()).objects({ kind: 'Node', name: node })
    if (!object) return 'no such node'
    const found = conditionOf(object, type)
    const fits = typeof reason === 'string' ? found?.reason === reason : reason.test(found?.reason ?? '')
    if (fits && verdictOf(object).reason !== 'NotObserved') return true
    return `${node}: ${type} ${found?.status} ${found?.reason}: ${found?.message}`
  })
}

/** Anything else that becomes so. */
export const becomes = (withinMs: number, what: () => Promise<boolean>): Promise<number> =>
  until(withinMs, async () => (await what()) || 'not yet')

function conditionOf(object: AnyObject, type: string): Condition | undefined {
  return (object.status as { conditions?: Condition[] } | undefined)?.conditions?.find((c) => c.type === type)
}
