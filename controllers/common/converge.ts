// The thin reconcile around every plan: observe, plan, do; and once more with the answers when the plan asked.

import type { Kind } from '../../api/meta.ts'
import { parseKey } from '../../api/meta.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { Reconcile } from '../ports/reconciler.ts'
import { type Answers, asks, type Effect } from './effects.ts'
import { perform } from './perform.ts'
import type { ControllerWorld } from './world.ts'

/** A plan that still asks after this many answers goes round in a circle. */
const MAX_ROUNDS = 8

export interface Planner<K extends Kind, O> {
  kind: K
  /** Reads the world; changes nothing. `answers` are those of this run. */
  observe(world: ControllerWorld, object: PpnObject<K>, answers: Answers): Promise<O> | O
  plan(object: PpnObject<K>, observed: O): Effect[]
}

/**
 * `gone` runs when the key's object no longer exists (to withdraw what it wanted). Effects that ask are done first and
 * alone; everything else is done only by a plan that asks nothing more. After a bundle was given to the publisher the
 * plan is made once more, so that status is written from the state that came of it.
 */
export function reconcileWith<K extends Kind, O>(
  world: ControllerWorld,
  planner: Planner<K, O>,
  gone: (key: string) => void = () => {},
): Reconcile {
  return async ({ key, signal, note }) => {
    let answers: Answers = {}
    for (let round = 0; round < MAX_ROUNDS; round++) {
      signal.throwIfAborted()
      const { name, namespace } = parseKey(key)
      const object = world.store.get(planner.kind, name, namespace)
      if (!object) {
        gone(key)
        return undefined
      }
      const planned = planner.plan(object, await planner.observe(world, object, answers))
      const questions = planned.filter(asks)
      const chosen = questions.length > 0 ? questions : planned
      const news = planned.filter((effect) => effect.type !== 'commands' || effect.commands.length > 0)
      // To want no command of a node that is asked for none is what a converged object plans.
      if (news.length > 0) note({ planned: news })
      const done = await perform(chosen, world, object)
      const published = chosen.some((effect) => effect.type === 'bundle')
      if (questions.length === 0 && !published) return { requeueAfterMs: done.requeueAfterMs }
      answers = { ...answers, ...done.answers, ...(published && { published }) }
      note({ did: answers })
    }
    throw new Error(`the plan of ${key} asks without end`)
  }
}
