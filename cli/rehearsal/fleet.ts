// The downward ports over machines that obey at once. What goes out is kept, in order.
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Bundles, WantedContent } from '../../controllers/ports/bundles.ts'
import type { Commands, WantedCommand } from '../../controllers/ports/commands.ts'
import type { Fleet } from '../../controllers/ports/fleet.ts'
import type { Digest } from '../../protocol/ids.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import { freshReport, type KnownMachine, withBundle, withCommand } from './machine.ts'

export interface SentCommand extends WantedCommand {
  node: string
}

export interface RehearsalFleet {
  fleet: Fleet
  bundles: Bundles
  commands: Commands
  /** Everything sent since the last call, in order, each once. */
  takeSent(): SentCommand[]
  /** The bundle wanted of every node now. */
  contents(): ReadonlyMap<string, WantedContent>
}

const digestOf = (content: WantedContent) =>
  createHash('sha256').update(JSON.stringify(content)).digest('hex') as Digest

/** `known`: what is known of a machine, by node name. */
export function rehearsalFleet(known: (node: string) => KnownMachine): RehearsalFleet {
  const reports = new Map<string, NodeReport>()
  const contents = new Map<string, WantedContent>()
  const wanted = new Map<string, { node: string; commands: readonly WantedCommand[] }>()
  const last = new Map<string, number>()
  const onFleet = new Set<(node: string) => void>()
  const onBundle = new Set<(node: string) => void>()
  let sent: SentCommand[] = []

  const reportOf = (node: string): NodeReport => {
    const report = reports.get(node) ?? freshReport(known(node))
    reports.set(node, report)
    return report
  }
  const tell = (listeners: ReadonlySet<(node: string) => void>, node: string) => {
    for (const listener of [...listeners]) listener(node)
  }
  const hear = (node: string, report: NodeReport) => {
    reports.set(node, report)
    tell(onFleet, node)
  }
  const subscriber = (listeners: Set<(node: string) => void>) => (listener: (node: string) => void) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }
  const send = (node: string, command: WantedCommand) => {
    const { op, slot, value } = command
    last.set(`${node} ${op} ${slot}`, value)
    sent.push({ ...command, node })
    hear(node, withCommand(reportOf(node), command))
  }
  return {
    fleet: {
      view: (node) => ({ node, liveness: 'Fresh', lastHeardMs: 0, report: reportOf(node) }),
      views: () => [...reports.keys()].map((node) => ({ node, liveness: 'Fresh', report: reportOf(node) })),
      subscribe: subscriber(onFleet),
      superseded: () => false,
    },
    bundles: {
      want(node, content) {
        if (isDeepStrictEqual(contents.get(node), content)) return
        contents.set(node, content)
        hear(node, withBundle(reportOf(node), content, digestOf(content)))
        tell(onBundle, node)
      },
      withdraw: (node) => void contents.delete(node),
      state(node) {
        const content = contents.get(node)
        if (!content) return { stage: 'None', held: false }
        return { stage: 'Applied', held: false, content, digest: digestOf(content) }
      },
      retry: () => {},
      subscribe: subscriber(onBundle),
    },
    commands: {
      want(scope, node, commands) {
        const place = `${scope}\n${node}`
        const before = wanted.get(place)?.commands ?? []
        if (commands.length === 0) wanted.delete(place)
        else wanted.set(place, { node, commands })
        for (const command of commands) if (!before.some((b) => isDeepStrictEqual(b, command))) send(node, command)
      },
      pending: (node) =>
        [...wanted.values()]
          .filter((want) => want.node === node)
          .flatMap(({ commands }) => commands.map((command) => ({ ...command, state: 'Sent' as const }))),
      lastSent: (node, op, slot) => last.get(`${node} ${op} ${slot}`),
    },
    takeSent() {
      const taken = sent
      sent = []
      return taken
    },
    contents: () => new Map(contents),
  }
}
