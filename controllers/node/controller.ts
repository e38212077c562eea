import { parseKey } from '../../api/meta.ts'
import { reconcileWith } from '../common/converge.ts'
import type { ControllerWorld } from '../common/world.ts'
import type { ControllerSpec } from '../ports/reconciler.ts'
import { observeNode } from './observe.ts'
import { planNode } from './plan.ts'

const nodePlanner = { kind: 'Node', observe: observeNode, plan: planNode } as const

export function nodeController(world: ControllerWorld): ControllerSpec {
  return {
    name: 'node',
    reconcile: reconcileWith(world, nodePlanner, (key) => {
      const { name } = parseKey(key)
      world.commands.want(key, name, [])
      world.bundles.withdraw(name)
    }),
    generation: (key) => world.store.getByKey(key)?.metadata.generation ?? 0,
    ready: () => world.store.health().synced,
  }
}
