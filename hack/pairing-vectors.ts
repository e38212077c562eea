// protocol/vectors/pairing.json: whole handshakes, message by message, with every key in between.
import type { RandomBytes } from '../base/random.ts'
import { calculateGenerator, deriveIsk, sidOutput, type Transcript } from '../protocol/cpace/cpace.ts'
import { sampleScalar, scalarMultVfy } from '../protocol/cpace/group.ts'
import { fingerprint, toBase64 } from '../protocol/keys.ts'
import { encodeAuthorityMessage, encodeNodeMessage } from '../protocol/pairing/ceremony.ts'
import { secretOf } from '../protocol/pairing/channel.ts'
import { passwordOf, readCode, readRendezvous } from '../protocol/pairing/code.ts'
import { initiate } from '../protocol/pairing/initiator.ts'
import { respond } from '../protocol/pairing/responder.ts'
import { ceremonyKeys, commitmentTo } from '../protocol/pairing/schedule.ts'
import { HEADER_BYTES, PAIRING_VERSION, PURPOSE, type Purpose } from '../protocol/pairing/wire.ts'
import * as input from './vector-inputs.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const counting = (from: number, length: number) => Uint8Array.from({ length }, (_, i) => (from + i) & 0xff)

/** Gives these pieces, in this order. */
function scripted(...pieces: Uint8Array[]): RandomBytes {
  return (length) => {
    const next = pieces.shift()
    if (next?.length !== length) throw new Error(`the script has no ${length} bytes here`)
    return next.slice()
  }
}

const draws = {
  sid: counting(0x00, 16),
  initiatorWide: counting(0x10, 64),
  initiatorNonce: counting(0x50, 32),
  responderNonce: counting(0x70, 32),
  responderWide: counting(0x90, 64),
}

function run(purpose: Purpose) {
  const code = 'K70F-2M11'
  const selector = 'A1B2'
  const { sid } = draws
  const { hello, handshake: initiator } = initiate({
    ...{ purpose, selector, code },
    random: scripted(sid, draws.initiatorWide, draws.initiatorNonce),
  })
  const responder = respond({
    random: scripted(draws.responderNonce, draws.responderWide),
    codeFor: () => code,
  })
  const sent = (step: { send?: Uint8Array }) => step.send as Uint8Array
  const share = sent(responder.receive(hello))
  const confirm = sent(initiator.receive(share))
  const answer = sent(responder.receive(confirm))
  const { send: reveal, sas } = initiator.receive(answer)
  const other = responder.receive(reveal as Uint8Array)
  if (other.sas !== sas) throw new Error('the digits differ')

  const secret = secretOf(code, { purpose, selector, sid }, scripted())
  const generator = calculateGenerator(secret)
  const scalars = [draws.initiatorWide, draws.responderWide].map((wide) => sampleScalar(scripted(wide)))
  const [a, b] = scalars as [Uint8Array, Uint8Array]
  const element = (scalar: Uint8Array) => scalarMultVfy(scalar, generator) as Uint8Array
  const transcript: Transcript = {
    sid,
    initiator: { element: element(a), associatedData: hello.subarray(1, 1 + HEADER_BYTES) },
    responder: { element: element(b), associatedData: new Uint8Array(0) },
  }
  const [initiatorScalar, responderScalar] = [hex(a), hex(b)]
  const isk = deriveIsk(a, element(b), transcript) as Uint8Array
  const iskHex = hex(isk)
  const keys = ceremonyKeys(isk, sidOutput(transcript))
  return {
    purpose,
    version: PAIRING_VERSION,
    purposeByte: PURPOSE[purpose],
    code,
    password: hex(passwordOf(code)),
    selector,
    channelIdentifier: hex(secret.ci),
    sessionId: hex(sid),
    generator: hex(generator),
    initiator: { scalar: initiatorScalar, share: hex(transcript.initiator.element), nonce: hex(draws.initiatorNonce) },
    responder: { scalar: responderScalar, share: hex(transcript.responder.element), nonce: hex(draws.responderNonce) },
    isk: iskHex,
    run: hex(sidOutput(transcript)),
    keys: Object.fromEntries(Object.entries(keys).map(([use, key]) => [use, hex(key as Uint8Array)])),
    commitment: hex(commitmentTo(draws.initiatorNonce)),
    sas,
    messages: [
      { name: 'HELLO', from: 'initiator', bytes: hex(hello) },
      { name: 'SHARE', from: 'responder', bytes: hex(share) },
      { name: 'CONFIRM', from: 'initiator', bytes: hex(confirm) },
      { name: 'ANSWER', from: 'responder', bytes: hex(answer) },
      { name: 'REVEAL', from: 'initiator', bytes: hex(reveal as Uint8Array) },
      ...(purpose === 'join' ? said(initiator, responder) : []),
    ],
  }
}

type Side = ReturnType<typeof respond>

/** What a machine and an authority say under the key, as far as it is short. */
function said(node: Side, authority: Side) {
  const offer = encodeNodeMessage({
    type: 'offer',
    identity: {
      wireguardPublicKey: toBase64(input.nodeWireguard.publicKey),
      commandPublicKey: toBase64(input.nodeCommand.publicKey),
      signingPublicKey: toBase64(input.nodeSigning.publicKey),
    },
    agentVersion: '0.1.0',
    hostname: 'edge-3',
  })
  const awaiting = encodeAuthorityMessage({
    type: 'awaiting',
    nodeName: 'edge-3',
    authorityFingerprint: fingerprint(input.authoritySigning.publicKey),
  })
  const confirmed = encodeNodeMessage({ type: 'confirmed', by: 'person' })
  const refused = encodeAuthorityMessage({ type: 'refused', reason: 'Denied' })
  const data = (from: string, side: Side, plain: Uint8Array) => ({
    name: 'DATA',
    from,
    plain: Buffer.from(plain).toString('utf8'),
    bytes: hex(side.seal(plain)),
  })
  return [
    data('initiator', node, offer),
    data('responder', authority, awaiting),
    data('initiator', node, confirmed),
    data('responder', authority, refused),
  ]
}

/** What people type, and what it is read as; null where it is refused. */
const typed = [
  ...['K70F-2M11', 'k7of 2mil', ' k-7-0-f–2m11 ', 'K7QF-2M9', 'K7QF-2M9U'].map((text) => ({ what: 'code', text })),
  ...['A1B2', 'alb2', 'A1B'].map((text) => ({ what: 'rendezvous', text })),
].map(({ what, text }) => ({ what, text, read: readOrNull(what === 'code' ? readCode : readRendezvous, text) }))

function readOrNull(read: (text: string) => string, text: string): string | null {
  try {
    return read(text)
  } catch {
    return null
  }
}

export function pairing() {
  return { runs: [run('join'), run('claim')], typed }
}
