import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AdmissionInput, admitArchives, type Claim, type Memory, type Verdict } from './admit.ts'

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString()

function claim(name: string, second: number, memory: { asks?: Memory; holds?: Memory; adoptDisk?: string }): Claim {
  return {
    key: `Archive/vault/${name}`,
    object: { kind: 'Archive', metadata: { name, namespace: 'vault', uid: name, creationTimestamp: at(second) } },
    ...memory,
  }
}

const mem = (floorMiB: number, maxMiB = floorMiB): Memory => ({ floorMiB, maxMiB })

function input(claims: Claim[], over: Partial<AdmissionInput> = {}): AdmissionInput {
  return {
    node: { name: 'edge-2', deleting: false, physicalMiB: 2560, retainedDisks: [] },
    nodeName: 'edge-2',
    reservedMiB: 512,
    overcommitPercent: 100,
    takenSlots: 0,
    holderOfDisk: () => undefined,
    claims,
    ...over,
  }
}

function short(verdicts: Map<string, Verdict>): Record<string, string> {
  return Object.fromEntries(
    [...verdicts].map(([key, v]) => [
      key.split('/')[2],
      v.admitted ? (v.overcommitted ? 'Overcommitted' : 'admitted') : v.reason,
    ]),
  )
}

describe('room', () => {
  // 2560 - 512 = 2048 MiB: two floors of 896 with 128 of overhead each fill it exactly.
  test('floors with overhead may fill what the node has, to the last MiB', () => {
    const verdicts = admitArchives(input([claim('a', 1, { asks: mem(896) }), claim('b', 2, { asks: mem(896) })]))
    expect(short(verdicts)).toEqual({ a: 'admitted', b: 'admitted' })
  })

  test('a newcomer whose floor does not fit is refused with the numbers', () => {
    const verdicts = admitArchives(
      input([claim('a', 1, { holds: mem(896), asks: mem(896) }), claim('b', 2, { asks: mem(912) })]),
    )
    expect(verdicts.get('Archive/vault/b')).toEqual({
      admitted: false,
      reason: 'MemoryFloor',
      waits: false,
      holders: ['Archive/vault/a'],
      message:
        'the floors would sum to 2064 MiB, each with 128 MiB of overhead; edge-2 has 2048 MiB (2560 less 512 reserved)',
    })
    expect(verdicts.get('Archive/vault/a')).toEqual({ admitted: true, memory: mem(896) })
  })

  test('maxima may sum to the overcommitted size and not beyond', () => {
    const two = (max: number) => [claim('a', 1, { asks: mem(256, max) }), claim('b', 2, { asks: mem(256, max) })]
    expect(short(admitArchives(input(two(1408), { overcommitPercent: 150 })))).toEqual({ a: 'admitted', b: 'admitted' })
    const verdicts = admitArchives(input(two(1424), { overcommitPercent: 150 }))
    expect(short(verdicts)).toEqual({ a: 'admitted', b: 'MemoryOvercommit' })
    expect((verdicts.get('Archive/vault/b') as { message: string }).message).toContain(
      'sum to 3104 MiB, each with 128 MiB of overhead; edge-2 has 2048 MiB (2560 less 512 reserved), 3072 MiB at overcommitPercent 150',
    )
  })

  test('a measured overhead takes the place of the assumed one', () => {
    const claims = [claim('a', 1, { asks: mem(960) }), claim('b', 2, { asks: mem(960) })]
    expect(short(admitArchives(input(claims, { overheadMiB: 64 })))).toEqual({ a: 'admitted', b: 'admitted' })
  })
})

describe('who holds keeps', () => {
  test('of two newcomers that collide the first seen is admitted, whatever its name', () => {
    const verdicts = admitArchives(input([claim('a', 2, { asks: mem(1024) }), claim('z', 1, { asks: mem(1024) })]))
    expect(short(verdicts)).toEqual({ z: 'admitted', a: 'MemoryFloor' })
  })

  test('a holder is never displaced by one that was seen earlier', () => {
    const verdicts = admitArchives(
      input([claim('a', 9, { holds: mem(1024), asks: mem(1024) }), claim('b', 1, { asks: mem(1024) })]),
    )
    expect(short(verdicts)).toEqual({ a: 'admitted', b: 'MemoryFloor' })
  })

  test('one that only holds counts against newcomers', () => {
    const verdicts = admitArchives(input([claim('gone', 1, { holds: mem(1024) }), claim('b', 2, { asks: mem(1024) })]))
    expect(short(verdicts)).toEqual({ b: 'MemoryFloor' })
  })

  test('holders stay when the node shrinks under them, and are told that they are overcommitted', () => {
    const verdicts = admitArchives(
      input([claim('a', 1, { holds: mem(4096), asks: mem(4096) }), claim('b', 2, { asks: mem(16) })]),
    )
    expect(short(verdicts)).toEqual({ a: 'Overcommitted', b: 'MemoryFloor' })
  })

  test('a raise that fits is accepted', () => {
    const verdicts = admitArchives(input([claim('a', 1, { holds: mem(512), asks: mem(1920) })]))
    expect(verdicts.get('Archive/vault/a')).toEqual({ admitted: true, memory: mem(1920) })
  })

  test('a raise that does not fit is refused, and what was accepted stays', () => {
    const verdicts = admitArchives(input([claim('a', 1, { holds: mem(512), asks: mem(1936) })]))
    expect(verdicts.get('Archive/vault/a')).toMatchObject({
      admitted: false,
      reason: 'MemoryFloor',
      keeps: mem(512),
    })
  })

  test('of a change in both directions the lowering counts although the raise is refused', () => {
    const verdicts = admitArchives(
      input([
        claim('a', 1, { holds: mem(512, 1920), asks: mem(1936, 1936) }),
        claim('b', 2, { holds: mem(16), asks: mem(16) }),
      ]),
    )
    expect(verdicts.get('Archive/vault/a')).toMatchObject({ admitted: false, keeps: mem(512, 1920) })
    const lowered = admitArchives(input([claim('a', 1, { holds: mem(512, 1920), asks: mem(1024, 1024) })]))
    expect(lowered.get('Archive/vault/a')).toEqual({ admitted: true, memory: mem(1024, 1024) })
  })

  test('a holder stays admitted while its node is unheard, gone or closed to its namespace', () => {
    const claims = [claim('a', 1, { holds: mem(512), asks: mem(512) })]
    for (const node of [
      undefined,
      { name: 'edge-2', deleting: false },
      { name: 'edge-2', deleting: true, physicalMiB: 2560 },
      { name: 'edge-2', deleting: false, physicalMiB: 2560, allowedNamespaces: ['other'] },
    ])
      expect(short(admitArchives(input(claims, { node })))).toEqual({ a: 'admitted' })
  })
})

describe('refusals that are not about memory', () => {
  const one = [claim('a', 1, { asks: mem(256) })]
  const node = { name: 'edge-2', deleting: false, physicalMiB: 2560 }
  const rows: [string, Partial<AdmissionInput>, Claim[], string, boolean, string][] = [
    ['an unknown node', { node: undefined }, one, 'NodeNotFound', false, 'there is no Node named edge-2'],
    [
      'a node that is itself refused',
      { node: { ...node, notAccepted: '10.8.0.5 is held by edge-1' } },
      one,
      'NodeNotAccepted',
      false,
      'held by edge-1',
    ],
    ['a node that leaves', { node: { ...node, deleting: true } }, one, 'NodeDeleting', false, 'being deleted'],
    [
      'a namespace that is not allowed',
      { node: { ...node, allowedNamespaces: ['a', 'b'] } },
      one,
      'NamespaceNotAllowed',
      false,
      'allows namespaces a, b, not vault',
    ],
    ['no namespace allowed', { node: { ...node, allowedNamespaces: [] } }, one, 'NamespaceNotAllowed', false, '(none)'],
    [
      'a node not heard yet, which is waited for',
      { node: { name: 'edge-2', deleting: false } },
      one,
      'NodeUnknownCapacity',
      true,
      'has not been heard yet',
    ],
    ['no free slot', { takenSlots: 255 }, one, 'SlotsExhausted', false, 'all 255 slots'],
    [
      'a disk that another archive has',
      { holderOfDisk: () => 'Archive/vault/x' },
      [claim('a', 1, { asks: mem(256), adoptDisk: 'd1' })],
      'DiskTaken',
      false,
      'belongs to Archive/vault/x',
    ],
    [
      'a disk of another namespace, said as if there were none',
      { node: { ...node, retainedDisks: [{ id: 'd1', namespace: 'other' }] } },
      [claim('a', 1, { asks: mem(256), adoptDisk: 'd1' })],
      'DiskNotFound',
      false,
      'no retained disk d1 in this namespace',
    ],
    [
      'a disk while the node is unheard, which is waited for',
      { node },
      [claim('a', 1, { asks: mem(256), adoptDisk: 'd1' })],
      'NodeUnknownCapacity',
      true,
      'its disks are not known',
    ],
  ]
  test.each(rows)('%s', (_, over, claims, reason, waits, text) => {
    const verdict = admitArchives(input(claims, over)).get('Archive/vault/a')
    expect(verdict).toMatchObject({ admitted: false, reason, waits })
    expect((verdict as { message: string }).message).toContain(text)
  })

  test('the last slot goes to the first in order', () => {
    const claims = [claim('b', 2, { asks: mem(16) }), claim('a', 1, { asks: mem(16) })]
    expect(short(admitArchives(input(claims, { takenSlots: 254 })))).toEqual({ a: 'admitted', b: 'SlotsExhausted' })
  })

  test('of two newcomers that ask for one disk the second is refused', () => {
    const claims = [1, 2].map((n) => claim(`a${n}`, n, { asks: mem(16), adoptDisk: 'd1' }))
    const withDisk = { ...node, retainedDisks: [{ id: 'd1', namespace: 'vault' }] }
    expect(short(admitArchives(input(claims, { node: withDisk })))).toEqual({ a1: 'admitted', a2: 'DiskTaken' })
  })

  test('a refused newcomer leaves its room to the next', () => {
    const claims = [claim('a', 1, { asks: mem(4096) }), claim('b', 2, { asks: mem(896) })]
    expect(short(admitArchives(input(claims)))).toEqual({ a: 'MemoryFloor', b: 'admitted' })
  })
})

describe('the order of reconciles does not matter', () => {
  const size = fc.integer({ min: 1, max: 48 }).map((n) => n * 16)
  const memory = fc.tuple(size, size).map(([floor, more]) => mem(floor, floor + more))
  const someone = fc.record({ asks: memory, holds: fc.option(memory, { nil: undefined }), second: fc.nat(5) })

  test('each archive asking alone, in any order, all are answered as one who saw everything would answer', () => {
    fc.assert(
      fc.property(
        fc.array(someone, { maxLength: 12 }).chain((all) =>
          fc.tuple(
            fc.constant(all.map(({ asks, holds, second }, i) => claim(`v${i}`, second, { asks, holds }))),
            fc.shuffledSubarray(
              all.map((_, i) => i),
              { minLength: all.length },
            ),
          ),
        ),
        fc.integer({ min: 250, max: 255 }),
        ([claims, order], slotsFree) => {
          const given = { takenSlots: slotsFree, overcommitPercent: 150 }
          const whole = admitArchives(input(claims, given))
          let taken = slotsFree
          const now = [...claims]
          for (const i of order) {
            const mine = now[i] as Claim
            const verdict = admitArchives(input(now, { ...given, takenSlots: taken })).get(mine.key) as Verdict
            expect(verdict.admitted).toBe((whole.get(mine.key) as Verdict).admitted)
            const accepted = verdict.admitted ? verdict.memory : verdict.keeps
            if (accepted && !mine.holds) taken++
            now[i] = { ...mine, holds: accepted }
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test('what newcomers are admitted with never exceeds the node', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(memory, fc.nat(5)), { maxLength: 20 }), (all) => {
        const claims = all.map(([asks, second], i) => claim(`v${i}`, second, { asks }))
        const admitted = [...admitArchives(input(claims, { overcommitPercent: 120 })).values()].filter(
          (v) => v.admitted,
        )
        const sum = (of: (m: Memory) => number) => admitted.reduce((n, v) => n + 128 + of(v.memory), 0)
        expect(sum((m) => m.floorMiB)).toBeLessThanOrEqual(2048)
        expect(sum((m) => m.maxMiB)).toBeLessThanOrEqual(2457)
      }),
    )
  })
})
