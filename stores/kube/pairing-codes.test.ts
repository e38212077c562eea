import { expect, test } from 'vitest'
import type { KubeAnswer } from './api.ts'
import { pairingCodes } from './pairing-codes.ts'

const reading = (answer: KubeAnswer | Error, paths: string[] = []) =>
  pairingCodes(
    {
      async request({ method, path }) {
        paths.push(`${method} ${path}`)
        if (answer instanceof Error) throw answer
        return answer
      },
    },
    'ppn-system',
  )
const holding = (text: string): KubeAnswer => ({
  status: 200,
  body: { data: { laptop: Buffer.from(text).toString('base64') } },
})
const REF = { name: 'ppn-pairing-codes', key: 'laptop' }

test('the code is read from the authority’s namespace, by name, and a newline at its end is nobody’s business', async () => {
  const paths: string[] = []
  expect(await reading(holding('A7K2-9QZX\n'), paths)(REF)).toEqual({ code: 'A7K2-9QZX' })
  expect(paths).toEqual(['GET /api/v1/namespaces/ppn-system/secrets/ppn-pairing-codes'])
})

test.each<[string, KubeAnswer | Error, RegExp]>([
  ['no Secret', { status: 404, body: {} }, /there is no Secret ppn-pairing-codes/],
  ['no right to it', { status: 403, body: {} }, /may read ppn-pairing-codes, not/],
  ['no such key', { status: 200, body: {} }, /has no key laptop/],
  ['something else', holding('hunter2-secret'), /holds no code like XXXX-XXXX/],
  ['no answer', new Error('reset'), /reset/],
])('%s: it says why, and never what it read', async (_, answer, why) => {
  const told = await reading(answer)(REF)
  expect(told).toEqual({ why: expect.stringMatching(why) })
  expect(JSON.stringify(told)).not.toContain('hunter2')
})
