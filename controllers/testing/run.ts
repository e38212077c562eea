// The controllers of Mesh, Node and Pairing over a fake world, wired as in the real thing.
import type { ControllerWorld } from '../common/world.ts'
import { controllerWorld } from '../controller-world.ts'
import { wireEdges } from '../edges.ts'
import type { ControllerSpec } from '../ports/reconciler.ts'
import { type Drive, drive } from './drive.ts'
import { type FakeWorld, fakeWorld } from './fake-world.ts'

export interface Run extends Drive {
  fake: FakeWorld
  world: ControllerWorld
}

/** `make` builds the controllers to run; keys of others are dropped. Wired at once; nothing runs before `settle`. */
export function runControllers(
  make: (world: ControllerWorld) => ControllerSpec[],
  fake: FakeWorld = fakeWorld(),
  signal: AbortSignal = new AbortController().signal,
): Run {
  const specs: ControllerSpec[] = []
  const driver = drive(() => specs)
  const { world, index } = controllerWorld(fake, driver.enqueue)
  specs.push(...make(world))
  wireEdges(world, index, driver.enqueue, signal)
  return { ...driver, fake, world }
}
