// The ceremony: handshake messages, what is said under its key, codes and addresses that people type.
import { sourceOf } from '../../../../authority/pairing/gate.ts'
import {
  encodeAuthorityMessage,
  encodeNodeMessage,
  readAuthorityMessage,
  readNodeMessage,
} from '../../../../protocol/pairing/ceremony.ts'
import { readCode, readRendezvous } from '../../../../protocol/pairing/code.ts'
import type { Handshake } from '../../../../protocol/pairing/handshake.ts'
import { initiate } from '../../../../protocol/pairing/initiator.ts'
import { respond } from '../../../../protocol/pairing/responder.ts'
import {
  decodeMessage,
  encodeMessage,
  helloBody,
  type MessageType,
  readHello,
} from '../../../../protocol/pairing/wire.ts'
import { seededRandom } from '../../../../testing/seeded-random.ts'
import { accepted, bytesOf, declared, type FuzzedParser, jsonOf, refused, utf8 } from '../parser.ts'

const CODE = 'ABCD-EFGH'
const selector = 'K7QX'
/** The messages of one honest run, in order: HELLO, SHARE, CONFIRM, ANSWER, REVEAL, DATA. */
function honestRun(): Uint8Array[] {
  const { hello, handshake: node } = initiate({ purpose: 'join', selector, code: CODE, random: seededRandom('node') })
  const authority = responder()
  const said = [hello]
  for (let [to, next] = [authority as Handshake, hello as Uint8Array | undefined]; next; ) {
    next = to.receive(next).send
    to = to === authority ? node : authority
    if (next) said.push(next)
  }
  return [...said, node.seal(bytesOf('{}'))]
}
const responder = () => respond({ random: seededRandom('authority'), codeFor: () => CODE })
const run = honestRun()

const messages: FuzzedParser = {
  name: 'pairing-message',
  faces: 'socket',
  covers: ['protocol/pairing/wire.ts#decodeMessage', 'protocol/pairing/wire.ts#readHello'],
  shape: 'bytes',
  valid: run,
  read(input) {
    const message = decodeMessage(input)
    if (!message) return refused('none')
    if (message.type === 1) {
      const hello = readHello(message.body)
      if (hello.version === 1 && hello.purpose && /^[\0-\x7f]{4}$/.test(hello.selector))
        return accepted(encodeMessage(1, helloBody({ ...hello, purpose: hello.purpose })))
    }
    return accepted(encodeMessage(message.type as MessageType, message.body))
  },
}

/** Whole handshakes: the responder gets the honest run with one message changed, dropped, doubled or moved. */
const handshake: FuzzedParser = {
  name: 'handshake',
  faces: 'socket',
  covers: ['protocol/pairing/responder.ts#respond', 'protocol/pairing/initiator.ts#initiate'],
  shape: 'bytes',
  valid: [run[0] as Uint8Array, run[2] as Uint8Array, run[4] as Uint8Array],
  read(input) {
    const type = input[0]
    const at = type === 1 ? 0 : type === 3 ? 2 : 4
    const authority = responder()
    for (let i = 0; i < at; i += 2) authority.receive(run[i] as Uint8Array)
    const step = authority.receive(input)
    const honest = Buffer.compare(input, run[at] as Uint8Array) === 0
    if (!step.failed && !honest && at > 0) throw new Error('a changed message was taken')
    if (step.failed && authority.state !== 'Ended') throw new Error('a failure does not end the run')
    return step.failed ? refused(step.failed) : accepted()
  },
}

const nodeSaid: FuzzedParser = {
  name: 'node-message',
  faces: 'socket',
  covers: ['protocol/pairing/ceremony.ts#readNodeMessage'],
  shape: 'json',
  valid: [
    jsonOf({
      type: 'offer',
      identity: Object.fromEntries(
        ['wireguardPublicKey', 'commandPublicKey', 'signingPublicKey'].map((name, i) => [
          name,
          Buffer.alloc(32, i + 1).toString('base64'),
        ]),
      ),
      agentVersion: '0.1.0',
      hostname: 'laptop.local',
    }),
    jsonOf({ type: 'confirmed', by: 'person' }),
    jsonOf({ type: 'differs' }),
    jsonOf({ type: 'alive' }),
  ],
  read(input) {
    const message = readNodeMessage(input)
    if (!message) return refused('none')
    if (!readNodeMessage(encodeNodeMessage(message))) throw new Error('not read again')
    return accepted()
  },
}

const authoritySaid: FuzzedParser = {
  name: 'authority-message',
  faces: 'socket',
  covers: ['protocol/pairing/ceremony.ts#readAuthorityMessage'],
  shape: 'json',
  valid: [
    jsonOf({ type: 'awaiting', nodeName: 'laptop', authorityFingerprint: 'SHA256:x' }),
    jsonOf({ type: 'approved', bundle: '-----BEGIN' }),
    jsonOf({ type: 'refused', reason: 'Denied' }),
  ],
  read(input) {
    const message = readAuthorityMessage(input)
    if (!message) return refused('none')
    if (!readAuthorityMessage(encodeAuthorityMessage(message))) throw new Error('not read again')
    return accepted()
  },
}

const code: FuzzedParser = {
  name: 'pairing-code',
  faces: 'person',
  covers: ['protocol/pairing/code.ts#readCode', 'protocol/pairing/code.ts#readRendezvous'],
  shape: 'text',
  valid: [bytesOf(CODE), bytesOf('abcd efgh'), bytesOf('oil1-0olI')],
  read: (input) =>
    declared(['BadPairingCode'], () => {
      const text = readCode(utf8(input))
      if (readCode(text) !== text || !/^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/.test(text))
        throw new Error(`not the one form: ${text}`)
      readRendezvous(text.slice(0, 4))
      return accepted()
    }),
}

const source: FuzzedParser = {
  name: 'source-address',
  faces: 'socket',
  covers: ['authority/pairing/gate.ts#sourceOf'],
  shape: 'text',
  valid: [bytesOf('::ffff:192.0.2.1'), bytesOf('2001:db8::1%eth0'), bytesOf('fe80::1')],
  read: (input) => (sourceOf(utf8(input)).length >= 0 ? accepted() : refused('none')),
}

export const PAIRING: readonly FuzzedParser[] = [messages, handshake, nodeSaid, authoritySaid, code, source]
