// docs/testing.md says what is so.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as testing from './index.ts'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
const page = read('../docs/testing.md')

test('the example of the page is the one that is run here', () => {
  const shown = /```ts\n([\s\S]*?)```/.exec(page)?.[1]
  expect(shown).toBe(read('./example.test.ts').replaceAll("'./index.ts'", "'ppn/testing'"))
})

test('the page names every export, every member of a fleet and every verb of an agent', async () => {
  const fleet = await testing.testFleet({})
  const agent = testing.fakeAgent({ clock: fleet.clock, transport: fleet.network.transport() })
  await fleet.stop()
  const names = [...Object.keys(testing), ...Object.keys(fleet), ...Object.keys(agent)]
  expect(names.length).toBeGreaterThan(30)
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(page))).toEqual([])
})
