import { expect, test } from 'vitest'
import type { AdminHealth } from '../../authority/admin/backend.ts'
import { healthNotices, holdsNotice, tellNotices } from './notices.ts'

const health = (over: object = {}, store: object = {}): AdminHealth => ({
  term: 1,
  revision: 1,
  superseded: false,
  brake: { set: false },
  serving: true,
  store: { synced: true, lastReadMs: 1, problems: [], watching: 'events', ...store },
  idle: true,
  ...over,
})

test('a fleet at work has nothing to notice', () => {
  expect(healthNotices(health())).toEqual([])
  expect(holdsNotice([])).toEqual([])
})

test.each([
  [health({ brake: { set: true, reason: 'moving' } }), 'braked: moving; nothing is sent'],
  [health({ superseded: true }), /^superseded: /],
  [health({}, { unreadable: 'it is gone' }), 'the folder cannot be read, everything is held: it is gone'],
  [health({}, { watching: 'polling', watchingReason: 'ENOSPC' }), 'polling for changes: ENOSPC'],
])('what stops or slows the authority is one line each', (state, line) => {
  expect(healthNotices(state)).toEqual([expect.stringMatching(line)])
})

test('what is held is one short line, however much', () => {
  expect(holdsNotice([{ key: 'Node/a' }])).toEqual(['held: 1, for a person to decide: ppn holds'])
  expect(holdsNotice([{ key: 'Node/a' }, { key: 'Node/b' }])).toEqual(['held: 2, for a person to decide: ppn holds'])
})

test('an answer is followed by what is wrong with the folder, named from where the person stands', async () => {
  const problem = {
    code: 'UnknownField',
    severity: 'error',
    message: 'unknown field x',
    file: 'a.yaml',
    line: 2,
    column: 3,
  }
  const said: string[] = []
  const io = { cwd: '/home/me', err: (text: string) => void said.push(text) }
  const client = {
    health: async () => health({}, { problems: [problem] }),
    version: async () => ({ version: '', pid: 1, meshId: '', authorityId: '', fleet: '/home/me/fleet', state: '' }),
  }
  await tellNotices(io as never, client as never)
  expect(said.join('')).toContain('fleet/a.yaml:2:3: error: unknown field x')
})
