import { beforeAll, describe, expect, test } from 'vitest'
import { PpnError } from '../../base/errors.ts'
import { systemRandom } from '../../base/random.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { loadOrCreateKeys } from '../keys/keys.ts'
import { type PlaceMark, refuseMoved } from './mark.ts'
import { cancelMove, moveAuthority } from './move.ts'
import type { AuthorityState, Place } from './place.ts'

const clock = virtualClock()
let state: AuthorityState
let others: AuthorityState

const stateWithKeys = async (): Promise<AuthorityState> => {
  const files = memoryFiles()
  await loadOrCreateKeys({ files, random: systemRandom, clock, mayCreate: true })
  const bytes = (await files.read('authority')) as Uint8Array
  return {
    objects: [],
    facts: [{ key: 'term', value: 4 }],
    registry: new Uint8Array(),
    auditHead: { count: 0, hash: '0'.repeat(64) },
    keys: new Map([['authority', bytes]]),
  }
}
beforeAll(async () => {
  state = await stateWithKeys()
  others = await stateWithKeys()
})

interface MemoryPlace extends Place {
  now: { mark?: PlaceMark; state?: AuthorityState; whole: boolean }
  mayReign(): boolean
}

/** The machine ends at the n-th change; what was changed before is durable. */
const power = (changes: number) => ({
  left: changes,
  spend() {
    if (this.left-- <= 0) throw new Error('the power is cut')
  },
})

function place(name: string, held: AuthorityState | undefined, mains: { spend(): void }): MemoryPlace {
  const now: MemoryPlace['now'] = { ...(held && { state: held }), whole: held !== undefined }
  return {
    name,
    now,
    mark: async () => now.mark,
    async setMark(mark) {
      mains.spend()
      now.mark = mark
    },
    occupied: async () => (now.state ? 'facts' : undefined),
    async read() {
      if (!now.state) throw new Error('nothing here')
      return now.state
    },
    plan: async () => ({ declare: [], kept: [] }),
    async fill(arriving) {
      mains.spend()
      now.whole = false
      now.state = arriving
      mains.spend()
      now.whole = true
    },
    letGo: async () => mains.spend(),
    mayReign() {
      try {
        refuseMoved(now.mark)
        return now.state !== undefined
      } catch {
        return false
      }
    },
  }
}
const options = { clock, random: systemRandom }
const CHANGES = 7

describe('an authority that moves', () => {
  test('is at one place before, at the other after, and no start at the first is possible', async () => {
    const mains = power(CHANGES)
    const [a, b] = [place('a', state, mains), place('b', undefined, mains)]
    expect((await moveAuthority(a, b, options)).what?.state).toBe(state)
    expect([a.mayReign(), b.mayReign()]).toEqual([false, true])
    expect(() => refuseMoved(a.now.mark)).toThrow(/has moved to b/)
    expect(mains.left).toBe(0)
  })

  test.each(Array.from({ length: CHANGES }, (_, n) => n))(
    'killed at its change %i never leaves two that may reign, and goes on when it is called again',
    async (n) => {
      const mains = power(n)
      const [a, b] = [place('a', state, mains), place('b', undefined, mains)]
      await expect(moveAuthority(a, b, options)).rejects.toThrow('the power is cut')
      expect([a.mayReign(), b.mayReign()].filter(Boolean).length).toBeLessThanOrEqual(1)
      if (b.mayReign()) expect(b.now.whole).toBe(true)
      mains.left = CHANGES * 2
      await moveAuthority(a, b, options)
      expect([a.mayReign(), b.mayReign(), b.now.whole]).toEqual([false, true, true])
    },
  )

  test.each([1, 2, 3, 4])(
    'called off after its change %i is where it was, and the other place stays closed',
    async (n) => {
      const mains = power(n)
      const [a, b] = [place('a', state, mains), place('b', undefined, mains)]
      await expect(moveAuthority(a, b, options)).rejects.toThrow('the power is cut')
      mains.left = 100
      await cancelMove(a, b, clock)
      expect([a.mayReign(), b.mayReign()]).toEqual([true, false])
      await expect(cancelMove(a, b, clock)).rejects.toMatchObject({ code: 'NoMoveToCancel' })
      await moveAuthority(a, b, options)
      expect([a.mayReign(), b.mayReign()]).toEqual([false, true])
    },
  )

  test('is not called off once it has arrived, though the place it left was not told', async () => {
    const mains = power(5)
    const [a, b] = [place('a', state, mains), place('b', undefined, mains)]
    await expect(moveAuthority(a, b, options)).rejects.toThrow('the power is cut')
    mains.left = 100
    await expect(cancelMove(a, b, clock)).rejects.toMatchObject({ code: 'NoMoveToCancel' })
    expect([a.mayReign(), b.mayReign()]).toEqual([false, true])
  })

  test('comes back, and can go again', async () => {
    const mains = power(100)
    const [a, b] = [place('a', state, mains), place('b', undefined, mains)]
    await moveAuthority(a, b, options)
    await moveAuthority(b, a, options)
    expect([a.mayReign(), b.mayReign()]).toEqual([true, false])
    await moveAuthority(a, b, options)
    expect([a.mayReign(), b.mayReign()]).toEqual([false, true])
  })

  test('does not go where another one is, nor elsewhere once it is on its way', async () => {
    const mains = power(100)
    const a = place('a', state, mains)
    await expect(moveAuthority(a, place('b', others, mains), options)).rejects.toMatchObject({ code: 'PlaceTaken' })
    expect(a.mayReign()).toBe(true)
    mains.left = 2
    await expect(moveAuthority(a, place('b', undefined, mains), options)).rejects.toThrow('the power is cut')
    mains.left = 100
    await expect(moveAuthority(a, place('c', undefined, mains), options)).rejects.toMatchObject({
      code: 'MoveElsewhere',
    })
  })

  test('stays where it is on a dry run, and while deletions are under way', async () => {
    const mains = power(0)
    const [a, b] = [place('a', state, mains), place('b', undefined, mains)]
    expect((await moveAuthority(a, b, { ...options, dryRun: true })).what?.plan).toEqual({ declare: [], kept: [] })
    const metadata = { name: 'edge-1', uid: 'f'.repeat(32), deletionTimestamp: '2026-11-21T20:00:00Z' }
    const object = { kind: 'Node', metadata } as AuthorityState['objects'][number]['object']
    a.now.state = { ...state, objects: [{ object, raw: {}, act: false }] }
    await expect(moveAuthority(a, b, options)).rejects.toMatchObject({ code: 'MigrateRefused' })
    expect(a.mayReign()).toBe(true)
  })

  test('is mended first when its keys or its registry cannot be read', async () => {
    const mains = power(0)
    const b = place('b', undefined, mains)
    await expect(moveAuthority(place('a', { ...state, keys: new Map() }, mains), b, options)).rejects.toThrow(PpnError)
    const registry = Buffer.from('{"n":1}\n')
    await expect(moveAuthority(place('a', { ...state, registry }, mains), b, options)).rejects.toMatchObject({
      code: 'ChainBroken',
    })
  })
})
