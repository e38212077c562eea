// Controllers run before the authority has an address to speak from: the first thing they do is to give it one. Until
// the downlink is there, these stand in for it; afterwards they pass everything on.

import type { Commands, WantedCommand } from '../../controllers/ports/commands.ts'
import type { Fleet, NodeView } from '../../controllers/ports/fleet.ts'
import type { CommandSender } from '../commands/sender.ts'

export interface LateFleet extends Fleet {
  /** From now on `fleet` answers; undefined: nobody does. Listeners hear of every node either of them knows. */
  attach(fleet: Fleet | undefined): void
}

/** `braked`: why nobody has been heard yet. */
export function lateFleet(braked: () => boolean): LateFleet {
  let behind: Fleet | undefined
  let detach = () => {}
  const listeners = new Set<(node: string) => void>()
  const tell = (node: string) => {
    for (const listener of [...listeners]) listener(node)
  }
  const names = () => behind?.views().map((view) => view.node) ?? []
  return {
    view: (node): NodeView => behind?.view(node) ?? { node, liveness: braked() ? 'Braked' : 'Unheard' },
    views: () => behind?.views() ?? [],
    superseded: () => behind?.superseded() ?? false,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    attach(fleet) {
      const known = new Set(names())
      detach()
      behind = fleet
      detach = fleet?.subscribe(tell) ?? (() => {})
      for (const node of names()) known.add(node)
      for (const node of known) tell(node)
    },
  }
}

export interface LateCommands extends Commands {
  attach(sender: CommandSender | undefined): void
}

/** Wants are kept, so that a sender that starts (again) gets all of them. */
export function lateCommands(): LateCommands {
  let behind: CommandSender | undefined
  const wanted = new Map<string, { node: string; commands: readonly WantedCommand[] }>()
  return {
    want(scope, node, commands) {
      // One scope may want something of two nodes while it moves from one to the other.
      const place = `${scope}\n${node}`
      if (commands.length === 0) wanted.delete(place)
      else wanted.set(place, { node, commands })
      behind?.want(scope, node, commands)
    },
    pending: (node) =>
      behind?.pending(node) ??
      [...wanted.values()]
        .filter((want) => want.node === node)
        .flatMap(({ commands }) => commands.map((c) => ({ ...c, state: 'Waiting' as const, reason: 'NotServing' }))),
    lastSent: (node, op, slot) => behind?.lastSent(node, op, slot),
    attach(sender) {
      behind = sender
      if (!sender) return
      for (const [place, { node, commands }] of wanted) sender.want(place.split('\n')[0] as string, node, commands)
    },
  }
}
