import { expect, test } from 'vitest'
import type { Logger } from '../../base/log.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { parseAgentConfig } from './config.ts'
import { changedSettings, LOOK_EVERY_MS, watchConfig } from './reload.ts'

async function watched(first: string) {
  const clock = virtualClock()
  const said: string[] = []
  const say = (level: string) => (fields: Record<string, unknown>, text: string) =>
    void said.push(`${level} ${JSON.stringify(fields)} ${text}`)
  const log = { info: say('info'), warn: say('warn'), error: say('error') } as unknown as Logger
  const levels: string[] = []
  let text: string | Error = first
  const ending = new AbortController()
  const settings = watchConfig(
    {
      read: async () => {
        if (text instanceof Error) throw text
        return { file: 'agent.yaml', text }
      },
      before: parseAgentConfig('agent.yaml', first),
      clock,
      log,
      setLevel: (level) => levels.push(level),
    },
    ending.signal,
  )
  const write = async (next: string | Error) => {
    text = next
    await clock.advance(LOOK_EVERY_MS)
  }
  await clock.advance(LOOK_EVERY_MS)
  return { said, levels, write, look: settings.look, set: (next: string) => (text = next), ending }
}

test('a file that stays as it is says nothing', async () => {
  const { said, levels } = await watched('log: {level: warn}\n')
  expect({ said, levels }).toEqual({ said: [], levels: [] })
})

test('the level of the log is taken at once, and a restart is asked for what is not', async () => {
  const { said, levels, write } = await watched('')
  await write('log: {level: debug}\nvm: {user: other}\nimages: {hosts: [a.example]}\n')
  expect(levels).toEqual(['debug'])
  expect(said).toHaveLength(2)
  expect(said[1]).toContain('"settings":["images.hosts","vm.user"]')
  expect(said[1]).toContain('systemctl restart ppn-agent')
})

test('SIGHUP looks at once', async () => {
  const { levels, look, set } = await watched('')
  set('log: {level: error}\n')
  await look()
  expect(levels).toEqual(['error'])
})

test('a file that is wrong, or gone, changes nothing and is complained about once', async () => {
  const { said, levels, write } = await watched('')
  await write('log: {level: loud}\n')
  await write('log: {level: loud}\n')
  expect(said).toHaveLength(1)
  expect(said[0]).toContain('agent.yaml:1:14')
  await write(new Error('EACCES'))
  expect(said).toHaveLength(2)
  await write('log: {level: warn}\n')
  expect(levels).toEqual(['warn'])
})

test('settings that differ are named by their path', () => {
  expect(changedSettings({ a: { b: 1, c: [1] }, d: 1 }, { a: { b: 1, c: [2] }, e: 1 })).toEqual(['a.c', 'd', 'e'])
})
