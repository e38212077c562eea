import { execFile } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Starts an agent in a process of its own and prints every module of ours that was loaded for it. */
const script = `
import { registerHooks } from 'node:module'
const loaded = []
registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context) } })
const from = (path) => import(new URL(path, process.argv[1]).href)
const [{ startAgent }, { virtualClock }, { memoryFiles }, { memoryNetwork }, { seededRandom }, { silentLogger }] =
  await Promise.all(['agent/agent.ts', 'testing/virtual-clock.ts', 'testing/memory-files.ts', 'testing/memory-network.ts',
    'testing/seeded-random.ts', 'base/log.ts'].map(from))
const clock = virtualClock()
const agent = await startAgent({ files: memoryFiles(), transport: memoryNetwork(clock).transport(), clock,
  random: seededRandom(1), log: silentLogger(), drivers: {}, version: '0' })
await agent.stop()
console.log(JSON.stringify(loaded))
`

test('law 1: a running agent has loaded no encoder of commands, and nothing of authority, controllers or stores', async () => {
  const args = ['--no-warnings', '--input-type=module', '-e', script, `file://${root}/`]
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 16 * 1024 * 1024 })
  const loaded = (JSON.parse(stdout) as string[])
    .filter((url) => url.startsWith(`file://${root}/`) && !url.includes('/node_modules/'))
    .map((url) => url.slice(`file://${root}/`.length))
  expect(loaded).toContain('agent/receiver/receiver.ts')
  expect(loaded).toContain('protocol/command/decode.ts')
  expect(loaded.filter((path) => /^(authority|controllers|stores|cli)\//.test(path))).toEqual([])
  expect(loaded.filter((path) => /\/encode\.ts$/.test(path))).toEqual([])
})
