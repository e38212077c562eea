// Somebody has rewritten a line of `audit.jsonl`, which is not signed, and made its hash anew.
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { canonicalBytes } from '../../base/canonical-json.ts'
import { openChainedLog } from '../../base/chained-log.ts'
import { memoryFiles } from '../../testing/memory-files.ts'

const NAME = 'audit.jsonl'

async function lines(): Promise<string[]> {
  const files = memoryFiles()
  const log = await openChainedLog(files, NAME)
  for (const node of ['relay', 'edge-1', 'edge-2']) await log.append({ kind: 'command', node })
  return Buffer.from(files.dump().get(NAME) ?? [])
    .toString()
    .trim()
    .split('\n')
}

function rewritten(line: string): string {
  const { hash: _, ...body } = JSON.parse(line) as { hash: string; entry: object }
  const next = { ...body, entry: { kind: 'command', node: 'nobody' } }
  const hash = createHash('sha256').update(canonicalBytes(next)).digest('hex')
  return Buffer.from(canonicalBytes({ ...next, hash })).toString()
}
const open = (all: readonly string[]) =>
  openChainedLog(memoryFiles(new Map([[NAME, Buffer.from(all.map((line) => `${line}\n`).join(''))]])), NAME)

test('any line but the last: the next one does not follow from it', async () => {
  const [a = '', b = '', c = ''] = await lines()
  await open([a, b, c])
  await expect(open([rewritten(a), b, c])).rejects.toMatchObject({ code: 'ChainBroken', details: { line: 2 } })
  await expect(open([a, rewritten(b), c])).rejects.toMatchObject({ code: 'ChainBroken', details: { line: 3 } })
})

test('the last line, or all from one on: not noticed here, which docs/security.md says', async () => {
  const [a = '', b = '', c = ''] = await lines()
  await open([a, b, rewritten(c)])
})
