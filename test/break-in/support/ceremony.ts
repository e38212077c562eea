// A fleet with one machine still to join, and what an attacker of the network does about it.
import { type AttemptResult, attemptJoin, type DigitsVerdict } from '../../../agent/pairing/attempt.ts'
import { type Joined, joinFleet } from '../../../agent/pairing/join.ts'
import type { NodeIdentity } from '../../../api/v1alpha1/node.ts'
import { frameReader, lengthFrame } from '../../../base/length-frames.ts'
import { silentLogger } from '../../../base/log.ts'
import type { Connection } from '../../../base/transport.ts'
import { encodeAuthorityMessage } from '../../../protocol/pairing/ceremony.ts'
import type { Handshake } from '../../../protocol/pairing/handshake.ts'
import { respond } from '../../../protocol/pairing/responder.ts'
import { seededRandom } from '../../../testing/seeded-random.ts'
import { type Fleet, PAIRING_ADDRESS, startFleet } from '../../fleet/harness.ts'
import { hub, spoke } from '../../fleet/objects.ts'

export const PORT = 9202
export const LAPTOP = '198.51.100.7'
export const MALLORY = '198.51.100.66'

export interface Secret {
  rendezvous: string
  code: string
}

/** Public keys that nobody has the secret halves of. */
export function keysOf(n: number): NodeIdentity {
  const key = (byte: number) => Buffer.alloc(32, byte).toString('base64')
  return { wireguardPublicKey: key(n), commandPublicKey: key(n + 1), signingPublicKey: key(n + 2) }
}

export async function office(): Promise<Fleet> {
  const fleet = await startFleet([hub('relay'), spoke('laptop')], { joining: ['laptop'] })
  await fleet.until(() => fleet.condition('Node', 'relay')?.status === 'True')
  return fleet
}

export interface Machine {
  /** The codes it has shown, the present one last. */
  secrets: Secret[]
  digits(): string | undefined
  answer(verdict: DigitsVerdict): void
  joined: Promise<Joined>
  error(): string | undefined
  stop(): void
}

/** Somebody runs `ppn join` at the laptop; its calls reach `to`. */
export function machine(fleet: Fleet, identity: NodeIdentity, to = PAIRING_ADDRESS): Machine {
  const secrets: Secret[] = []
  const stop = new AbortController()
  let digits: string | undefined
  let error: string | undefined
  let answer: (verdict: DigitsVerdict) => void = () => {}
  const answered = new Promise<DigitsVerdict>((resolve) => {
    answer = resolve
  })
  const joined = joinFleet(
    {
      ...{ identity, agentVersion: '0.1.0', hostname: 'laptop.local', clock: fleet.clock, log: silentLogger() },
      random: seededRandom('laptop'),
      dial: (signal) => fleet.network.transport().connect(LAPTOP, to, PORT, signal),
      show: (shown) => secrets.push(shown),
      compare(seen) {
        digits = seen
        return answered
      },
    },
    stop.signal,
  )
  joined.catch((failed) => {
    error = failed.code ?? String(failed)
  })
  return {
    secrets,
    digits: () => digits,
    answer,
    joined,
    error: () => error,
    stop: () => stop.abort(new Error('stopped')),
  }
}

export const declare = (fleet: Fleet, name: string, spec: Record<string, unknown>) =>
  fleet.store.create('Pairing', name, { nodeName: 'laptop', ...spec })
export async function amend(fleet: Fleet, name: string, more: Record<string, unknown>): Promise<void> {
  await fleet.store.amend(`Pairing/${name}`, { ...fleet.store.get('Pairing', name)?.spec, ...more })
}
export const phase = (fleet: Fleet, name = 'p') => fleet.store.get('Pairing', name)?.status?.phase
export const failuresOf = (fleet: Fleet, name = 'p') => {
  const uid = fleet.store.get('Pairing', name)?.metadata.uid ?? ''
  return (fleet.store.records.get(`pairing-failures/${uid}`)?.value as number | undefined) ?? 0
}
export const paired = (fleet: Fleet): number =>
  Buffer.from(fleet.files.get('nodes.jsonl') ?? [])
    .toString()
    .split('\n')
    .filter((line) => line.includes('paired')).length

/** One call to the authority by somebody who says that this is the code. */
export async function call(
  fleet: Fleet,
  options: {
    from?: string
    secret: Secret
    identity?: NodeIdentity
    onDigits?(digits: string): Promise<DigitsVerdict>
  },
  signal = new AbortController().signal,
): Promise<AttemptResult> {
  const { from = MALLORY, secret, identity = keysOf(0x61), onDigits = async () => 'person' as const } = options
  const connection = await fleet.network.transport().connect(from, PAIRING_ADDRESS, PORT, signal)
  return attemptJoin(
    {
      ...{ ...secret, identity, agentVersion: '0.1.0', hostname: 'mallory', connection, clock: fleet.clock },
      random: seededRandom(`call ${from}`),
      compare: onDigits,
    },
    signal,
  )
}

/** Answers machines in the authority's place: `code` as it was leaked, or a guess. */
export async function impostor(
  fleet: Fleet,
  options: { code(): string; fingerprint?: string; onDigits(digits: string, line: Connection, run: Handshake): void },
): Promise<{ lines(): number }> {
  let lines = 0
  await fleet.network.transport().listen(MALLORY, PORT, (connection) => {
    const random = seededRandom(`impostor ${lines++}`)
    const run = respond({ random, codeFor: options.code })
    const reader = frameReader(1_500_000, (bytes) => {
      const step = run.receive(bytes)
      if (step.send) connection.stream.write(lengthFrame(step.send))
      if (step.failed) connection.destroy()
      if (step.sas === undefined) return
      options.onDigits(step.sas, connection, run)
    })
    connection.stream.on('data', (chunk: Uint8Array) => reader.push(chunk))
    connection.stream.on('error', () => {})
  })
  return { lines: () => lines }
}

/** What an authority says once it has heard who calls: it brings the digits onto the machine's screen. */
export function awaiting(run: Handshake, line: Connection, authorityFingerprint: string): void {
  line.stream.write(
    lengthFrame(run.seal(encodeAuthorityMessage({ type: 'awaiting', nodeName: 'laptop', authorityFingerprint }))),
  )
}
