// A machine without a fleet (DESIGN 7.5): it holds, and is claimed; and if an authority makes itself heard in the first
// 30 s, it also offers to join that one. Both at once: nothing that is heard ends or delays holding.
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import type { Logger } from '../../base/log.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Connection, Listener } from '../../base/transport.ts'
import { dearmorBundle } from '../../protocol/bundle/armor.ts'
import { openSignedBundle } from '../../protocol/bundle/seal.ts'
import type { AuthorityId } from '../../protocol/ids.ts'
import { fingerprint, toBase64 } from '../../protocol/keys.ts'
import { type Conversation, converse, type DigitsVerdict } from '../pairing/attempt.ts'
import { boardText, type Shown } from './board.ts'
import { type AnsweredClaim, holdingEndpoint } from './endpoint.ts'
import { forgetHolding, holdingCode } from './holding-code.ts'
import { offering } from './offer.ts'
import { awaitAnswer, postQuestion, withdrawQuestion } from './question.ts'
import { type Found, scan } from './scan.ts'

/** Between looks at what may have changed: addresses, a bundle that was given by hand. */
const LOOK_EVERY_MS = 1_000
/** While beacons are listened for, which takes the port that a bundle given by hand will want. */
const LOOK_WHILE_SCANNING_MS = 200
/** The holding port may be held by a process that is just ending. */
const RETRY_MS = 5_000

export interface GenesisOptions {
  clock: Clock
  random: RandomBytes
  log: Logger
  /** The agent's own folder. */
  files: Files
  identity: NodeIdentity
  agentVersion: string
  hostname: string
  network: {
    /** The holding port, on every address. */
    listen(onConnection: (connection: Connection) => void): Promise<Listener>
    /** Beacons of every local network; absent: nothing is listened for. */
    hear?(onPacket: (bytes: Uint8Array, from: string) => void): Promise<{ close(): void }>
    dial(place: { address: string; port: number }, signal: AbortSignal): Promise<Connection>
  }
  holdingPort: number
  /** Of this machine, as they are now. */
  addresses(): string[]
  /** Absent: other ports stay as they are. */
  walls?: { raise(scanning: boolean): Promise<void>; remove(): Promise<void> }
  /** Ed25519, from the image. */
  operatorKey?: Uint8Array
  /** Nobody can be asked here; the registry will say so. */
  trustCode: boolean
  /** To whoever stands at the machine; undefined: there is nothing to say any more. */
  show(text: string | undefined): void
  /** Verifies the first bundle and lives by it. */
  take(bundle: string, authorityFingerprint: string): Promise<void>
  /** There is a first bundle, whichever way it came. */
  enrolled(): Promise<boolean>
}

/** Resolves when the machine is in a fleet and nothing of the holding is left; rejects with the abort's reason. */
export async function runGenesis(options: GenesisOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, log, files, network, operatorKey, walls } = options
  const ending = new AbortController()
  const over = AbortSignal.any([signal, ending.signal])
  const { promise: enrolled, resolve: done } = Promise.withResolvers<void>()
  const board: Shown = { code: await holdingCode(files, random), addresses: [], port: options.holdingPort }
  let shown: string | undefined
  let scanning = false

  const refresh = (change: Partial<Shown> = {}) => {
    Object.assign(board, change, { addresses: options.addresses() })
    const text = over.aborted ? undefined : boardText(board)
    if (text !== shown) options.show(text)
    shown = text
  }
  const report = (error: unknown) => {
    if (!over.aborted) log.error({ err: String(error) }, 'a part of holding ended')
  }
  let building: Promise<void> = Promise.resolve()
  const raise = (scanning: boolean) => {
    building = building.then(() => build(scanning))
    return building
  }
  const build = async (scanning: boolean) => {
    if (!walls || over.aborted) return
    try {
      await walls.raise(scanning)
      refresh({ closed: true })
    } catch (error) {
      refresh({ closed: false })
      log.error({ err: (error as Error).message }, 'holding.closed is set, and the other ports could NOT be closed')
    }
  }
  let confirmed: string | undefined
  const compare: Conversation['compare'] = async (digits, who, line) => {
    const { authorityFingerprint, nodeName } = who
    log.info({ node: nodeName, authority: authorityFingerprint }, 'an authority that knows the code is on the line')
    // A line that was lost costs nobody here a second look at the digits; the operator needs the new ones.
    const known: DigitsVerdict | undefined =
      (options.trustCode && 'trustCode') || (confirmed === authorityFingerprint && 'person') || undefined
    const question = { digits, nodeName, authorityFingerprint, asked: known === undefined }
    await postQuestion(files, question)
    refresh({ question })
    const withdraw = () => {
      if (board.question === question) refresh({ question: undefined })
      withdrawQuestion(files, digits).catch(report)
    }
    line.addEventListener('abort', withdraw, { once: true })
    if (line.aborted) withdraw()
    if (known) return known
    if (!(await awaitAnswer(files, clock, digits, AbortSignal.any([line, over])))) return 'differs'
    confirmed = authorityFingerprint
    return 'person'
  }
  const taking = new AbortController()
  const take = async (bundle: string, authorityFingerprint: string) => {
    // The mesh needs the port that beacons are heard at.
    taking.abort(new Error('a bundle has come'))
    try {
      await options.take(bundle, authorityFingerprint)
      done()
    } catch (error) {
      log.error({ err: (error as Error).message }, 'the first bundle is not taken; this machine goes on holding')
    }
  }
  const { identity, agentVersion, hostname } = options
  const self = { identity, agentVersion, hostname, clock, random, compare }

  const claimed = async ({ connection, claim, handshake, send, established }: AnsweredClaim): Promise<void> => {
    const claimant = fingerprint(claim.signingPublicKey)
    // The signature was over the key in the claim: it must be that authority which goes on.
    const same: Conversation['compare'] = async (digits, who, line) =>
      who.authorityFingerprint === claimant ? compare(digits, who, line) : 'differs'
    try {
      const opening = { handshake, send, established }
      const result = await converse({ ...self, connection, compare: same }, opening, over)
      const { outcome } = result
      log.info({ from: connection.remoteAddress, authority: claimant, ...result, bundle: undefined }, 'a claim ended')
      if (outcome !== 'approved') return
      if (operatorKey) mustName(operatorKey, result.bundle, claim.signingPublicKey)
      await take(result.bundle, claimant)
    } catch (error) {
      if (!over.aborted) log.warn({ err: (error as Error).message }, 'a claim came to nothing')
    }
  }
  const endpoint = holdingEndpoint({
    ...{ clock, random, code: board.code, converse: claimed },
    ...(operatorKey && { operatorKey }),
  })
  let listener: Listener | undefined
  const listen = async () => {
    while (!listener && !over.aborted) {
      try {
        listener = await network.listen(endpoint.accept)
        log.info({ port: options.holdingPort }, 'this machine belongs to no fleet: it holds, and can be claimed')
      } catch (error) {
        log.warn({ err: (error as Error).message, port: options.holdingPort }, 'the holding port cannot be opened yet')
        await clock.sleep(RETRY_MS, over)
      }
    }
    if (over.aborted) await listener?.close()
  }
  const offers = offering(
    {
      clock,
      join: { ...self, log },
      dial: ({ address, pairingPort }: Found, until) => network.dial({ address, port: pairingPort }, until),
      show: (offer) => refresh({ offer }),
      joined: ({ bundle, authorityFingerprint }) => take(bundle, authorityFingerprint),
      failed: (why) => log.info({ why }, 'joining an authority that was found came to nothing; this machine holds'),
    },
    over,
  )
  const search = async () => {
    // A beacon cannot show the operator's signature: a machine that demands it waits to be claimed.
    if (!network.hear || operatorKey) return raise(false)
    await raise(true)
    const onFound = (found: Found) => {
      log.info({ ...found }, 'an authority makes itself heard; this machine offers to join it')
      offers.add(found)
    }
    const until = AbortSignal.any([over, taking.signal])
    scanning = true
    try {
      await scan({ clock, listen: network.hear, onFound }, until)
    } catch (error) {
      if (!until.aborted) throw error
    } finally {
      scanning = false
      await raise(false)
    }
  }
  const look = async () => {
    while (!(await options.enrolled())) {
      refresh()
      await clock.sleep(scanning ? LOOK_WHILE_SCANNING_MS : LOOK_EVERY_MS, over)
    }
    done()
  }
  for (const part of [look(), listen(), search()]) part.catch(report)

  const { promise: aborted, reject: abort } = Promise.withResolvers<never>()
  const onAbort = () => abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    await Promise.race([enrolled, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
    ending.abort(new Error('this machine holds no more'))
    refresh()
    endpoint.end()
    await listener?.close()
    await building
  }
  await endHolding({ files, walls, log })
}

/** What a holding put up goes; to be repeated after a crash in between. */
export async function endHolding(options: Pick<GenesisOptions, 'files' | 'walls' | 'log'>): Promise<void> {
  try {
    await options.walls?.remove()
    await forgetHolding(options.files)
  } catch (error) {
    options.log.error(
      { err: (error as Error).message },
      'the table of the holding stands; it is tried again at the next start',
    )
  }
}

/** The operator who blessed the authority must be the one that the bundle would pin. Throws BundleRefused. */
function mustName(operatorKey: Uint8Array, armored: string, signingPublicKey: Uint8Array): void {
  const raw = dearmorBundle(armored)
  const authorityId = Buffer.from(raw.subarray(1, 17)).toString('hex') as AuthorityId
  const opened = openSignedBundle(raw, [{ authorityId, signingPublicKey }])
  if (!opened.ok) throw new PpnError('BundleRefused', { reason: opened.reason })
  if (opened.bundle.document.content.operatorKey !== toBase64(operatorKey))
    throw new PpnError('BundleRefused', { reason: 'OperatorKeyDiffers' })
}
