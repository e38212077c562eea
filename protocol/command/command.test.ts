import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../testing/seeded-random.ts'
import { decodeCommand, targetOf } from './decode.ts'
import { commandEncoder, encodeCommand } from './encode.ts'
import { type CommandContext, type CommandPacket, OP_RULES } from './layout.ts'
import { OP, type Op } from './ops.ts'
import { commandVerifier, verifyTag } from './tag.ts'

const key = seededRandom('key')(32)
const context: CommandContext = {
  meshId: 'a1'.repeat(16),
  authorityId: 'b2'.repeat(16),
  nodeId: 'c3'.repeat(16),
  enrolmentId: 'd4'.repeat(16),
  term: 9,
}

const packet: fc.Arbitrary<CommandPacket> = fc.constantFrom(...Object.values(OP)).chain((op) => {
  const rule = OP_RULES[op]
  return fc.record({
    op: fc.constant(op),
    target: fc.integer({ min: 1, max: rule.toAll ? 255 : 254 }),
    slot: rule.about === 'node' ? fc.constant(0) : fc.integer({ min: 1, max: 255 }),
    value: fc.integer({ min: rule.lowest, max: rule.highest }),
    sequence: fc.nat(0xffff_ffff),
  })
})

test('a command is 16 bytes, decoded as it was encoded, under a tag that holds', () => {
  fc.assert(
    fc.property(packet, (command) => {
      const bytes = encodeCommand(command, key, context)
      expect(bytes.length).toBe(16)
      expect(decodeCommand(bytes)).toEqual({ ok: true, command })
      expect(verifyTag(bytes, key, context)).toBe(true)
    }),
  )
})

test('the bytes are laid out as section 7.1 says', () => {
  const bytes = encodeCommand({ op: OP.BALLOON, target: 7, slot: 3, value: 0x0102, sequence: 0x03040506 }, key, context)
  expect(Buffer.from(bytes.subarray(0, 9)).toString('hex')).toBe('050703010203040506')
})

test('the tag is the first 56 bits of HMAC-SHA-256 over the length-prefixed context and bytes 0-8', () => {
  const bytes = encodeCommand({ op: OP.PING, target: 255, slot: 0, value: 0, sequence: 1 }, key, context)
  const input = Buffer.concat([
    Buffer.from('0009', 'hex'),
    Buffer.from('ppn-cmd/1'),
    Buffer.from(
      `0010${context.meshId}0010${context.authorityId}0010${context.nodeId}0010${context.enrolmentId}`,
      'hex',
    ),
    Buffer.from('000400000009', 'hex'),
    bytes.subarray(0, 9),
  ])
  const mac = createHmac('sha256', key).update(input).digest('hex')
  expect(Buffer.from(bytes.subarray(9)).toString('hex')).toBe(mac.slice(0, 14))
})

test('one bit changed anywhere, and the tag does not hold', () => {
  fc.assert(
    fc.property(packet, fc.nat(127), (command, bit) => {
      const bytes = encodeCommand(command, key, context)
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(verifyTag(bytes, key, context)).toBe(false)
    }),
  )
})

test.each<[string, Partial<CommandContext>]>([
  ['mesh', { meshId: '00'.repeat(16) }],
  ['authority', { authorityId: '00'.repeat(16) }],
  ['node', { nodeId: '00'.repeat(16) }],
  ['enrolment', { enrolmentId: '00'.repeat(16) }],
  ['term', { term: 10 }],
])('a command for one %s is worthless for another', (_, change) => {
  const bytes = encodeCommand({ op: OP.SEVER, target: 7, slot: 0, value: 1, sequence: 5 }, key, context)
  expect(verifyTag(bytes, key, { ...context, ...change })).toBe(false)
})

test('a verifier serves packet after packet, in any order, like a fresh one each time', () => {
  const verifies = commandVerifier(key, context)
  const encodes = commandEncoder(key, context)
  fc.assert(
    fc.property(fc.array(fc.tuple(packet, fc.boolean()), { minLength: 1 }), (commands) => {
      const packets = commands.map(([command]) => encodes(command))
      commands.forEach(([, spoil], i) => {
        const bytes = packets[i] as Uint8Array
        if (spoil) bytes[15] = (bytes[15] as number) ^ 1
        expect(verifies(bytes)).toBe(!spoil)
      })
    }),
  )
})

describe('decoding fails closed', () => {
  const good: CommandPacket = { op: OP.POWER, target: 7, slot: 3, value: 1, sequence: 5 }
  const altered = (at: number, value: number, from: CommandPacket = good) => {
    const bytes = encodeCommand(from, key, context)
    bytes[at] = value
    return decodeCommand(bytes)
  }
  const refused = (reason: string) => ({ ok: false, reason })

  test('any length but 16', () => {
    for (const length of [0, 15, 17]) expect(decodeCommand(new Uint8Array(length))).toEqual(refused('BadLength'))
    expect(verifyTag(new Uint8Array(15), key, context)).toBe(false)
  })

  test('every op that is not in the table', () => {
    for (let op = 0; op <= 255; op++) {
      if (Object.values(OP).includes(op as Op)) continue
      expect(altered(0, op)).toEqual(refused('UnknownOp'))
    }
  })

  test('target 0 always, and 255 but for PING and APPLY', () => {
    for (const op of Object.values(OP)) {
      const rule = OP_RULES[op]
      const command = { op, target: 7, slot: rule.about === 'node' ? 0 : 1, value: rule.lowest, sequence: 1 }
      expect(altered(1, 0, command)).toEqual(refused('BadTarget'))
      expect(altered(1, 255, command).ok).toBe(op === OP.PING || op === OP.APPLY)
    }
  })

  test('slot 0 for an archive, another for a node', () => {
    expect(altered(2, 0)).toEqual(refused('BadSlot'))
    expect(altered(2, 1, { op: OP.PING, target: 7, slot: 0, value: 0, sequence: 1 })).toEqual(refused('BadSlot'))
  })

  test.each<[string, Op, number[], number[]]>([
    ['PING', OP.PING, [0], [1, 65535]],
    ['APPLY', OP.APPLY, [0, 65535], []],
    ['ISOLATE', OP.ISOLATE, [0, 1], [2]],
    ['POWER', OP.POWER, [0, 1, 2, 3], [4]],
    ['BALLOON', OP.BALLOON, [1, 65535], [0]],
    ['WEIGHT', OP.WEIGHT, [1, 10000], [0, 10001]],
    ['REKEY', OP.REKEY, [1, 2], [0, 3]],
    ['SEVER', OP.SEVER, [1], [0, 2]],
  ])('%s takes its own values only', (_, op, taken, refusedValues) => {
    const slot = OP_RULES[op].about === 'node' ? 0 : 1
    const decoded = (value: number) => {
      const bytes = new Uint8Array(16)
      bytes.set([op, 7, slot, value >> 8, value & 255])
      return decodeCommand(bytes)
    }
    for (const value of taken) expect(decoded(value).ok).toBe(true)
    for (const value of refusedValues) expect(decoded(value)).toEqual(refused('BadValue'))
  })

  test('arbitrary bytes never make it throw', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => void decodeCommand(bytes)))
  })
})

test('what no agent would obey is never encoded, nor a number cut to fit', () => {
  const good: CommandPacket = { op: OP.WEIGHT, target: 7, slot: 3, value: 100, sequence: 5 }
  for (const change of [
    { target: 0 },
    { target: 255 },
    { target: 263 },
    { slot: 0 },
    { slot: 259 },
    { value: 0 },
    { value: 65536 + 100 },
    { sequence: -1 },
    { sequence: 2 ** 32 },
    { op: 0x104 as Op },
  ]) {
    expect(() => encodeCommand({ ...good, ...change }, key, context)).toThrow(
      expect.objectContaining({ code: 'BadCommand' }),
    )
  }
})

test('the target is told without decoding, and is nobody for a wrong length', () => {
  expect(targetOf(encodeCommand({ op: OP.PING, target: 9, slot: 0, value: 0, sequence: 1 }, key, context))).toBe(9)
  expect(targetOf(new Uint8Array(17).fill(9))).toBe(0)
})
