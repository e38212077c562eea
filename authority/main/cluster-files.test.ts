import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '../../base/log.ts'
import { memoryStore } from '../../stores/memory/store.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { clusterFiles, mountedFiles } from './cluster-files.ts'

test('a mounted Secret is read through the links of the kubelet, and never written', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ppn-mounted-'))
  try {
    // As the kubelet lays it out: the files are links into a folder that is replaced as a whole.
    await mkdir(join(folder, '..2026_11_21'))
    await writeFile(join(folder, '..2026_11_21', 'authority'), 'keys')
    await symlink('..2026_11_21', join(folder, '..data'))
    await symlink('..data/authority', join(folder, 'authority'))
    const files = mountedFiles(folder)
    expect(await files.list()).toEqual(['authority'])
    expect(Buffer.from((await files.read('authority')) ?? []).toString()).toBe('keys')
    expect(await files.read('operator.secret')).toBeUndefined()
    for (const change of [files.write('a', new Uint8Array()), files.append('a', new Uint8Array()), files.remove('a')])
      await expect(change).rejects.toMatchObject({ code: 'KeysReadOnly', details: { name: 'a' } })
    expect(await mountedFiles(join(folder, 'not-there')).list()).toEqual([])
  } finally {
    await rm(folder, { recursive: true })
  }
})

function setUp() {
  const clock = virtualClock()
  const { records } = memoryStore({ clock, random: seededRandom(1), log: silentLogger() })
  const registry = memoryFiles()
  const lost: unknown[] = []
  const files = clusterFiles({
    records,
    registry: {
      read: async () => (await registry.read('lines')) ?? new Uint8Array(),
      append: (bytes) => registry.append('lines', bytes),
    },
    keys: memoryFiles(),
    onRegistryLost: (error) => void lost.push(error),
  })
  return { files, records, registry, lost }
}

test('small documents are records, bytes and all; the registry is nobody’s to write or remove', async () => {
  const { files, records } = setUp()
  await files.write('restored', Uint8Array.of(0, 255, 10))
  await files.write('restored', Uint8Array.of(1, 2))
  expect(records.list('file/').map(({ key }) => key)).toEqual(['file/restored'])
  expect(await files.read('restored')).toEqual(Uint8Array.of(1, 2))
  expect(await files.list()).toEqual(['nodes.jsonl', 'restored'])
  await files.remove('restored')
  await files.remove('restored')
  expect(await files.read('restored')).toBeUndefined()
  for (const change of [files.write('nodes.jsonl', new Uint8Array()), files.remove('nodes.jsonl')])
    await expect(change).rejects.toMatchObject({ code: 'BadFileName' })
  await expect(files.append('audit.jsonl', new Uint8Array())).rejects.toMatchObject({ code: 'BadFileName' })
  expect(() => files.sub('elsewhere')).toThrow('elsewhere')
})

test('a registry that cannot be appended to is told at once: what this process believes of it is over', async () => {
  const { files, registry, lost } = setUp()
  await files.append('nodes.jsonl', Buffer.from('one\n'))
  expect(Buffer.from((await files.read('nodes.jsonl')) ?? []).toString()).toBe('one\n')
  registry.failWrites(new Error('taken'))
  await expect(files.append('nodes.jsonl', Buffer.from('two\n'))).rejects.toThrow('taken')
  expect(lost).toEqual([new Error('taken')])
})
