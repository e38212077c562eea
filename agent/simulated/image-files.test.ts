import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { imageFiles } from './image-files.ts'

let root: string
let folder: string
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'ppn-images-'))
  folder = path.join(root, 'fleet')
  await mkdir(path.join(folder, 'images'), { recursive: true })
})
afterEach(() => rm(root, { recursive: true }))

test('an image is digested whole and kept by its head, named by path or by URL', async () => {
  const bytes = Buffer.alloc(200_000, 'image')
  const file = path.join(folder, 'images', 'a.raw')
  await writeFile(file, bytes)
  for (const source of ['images/a.raw', pathToFileURL(file).href]) {
    const read = await imageFiles(folder)(source, 100_000)
    expect(read?.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
    expect(Buffer.from(read?.head ?? []).equals(bytes.subarray(0, 100_000))).toBe(true)
  }
})

test('a file that is not there is none', async () => {
  expect(await imageFiles(folder)('images/gone.raw', 1)).toBeUndefined()
})

test('no way leads out of the allowed folder', async () => {
  await writeFile(path.join(root, 'secret'), 'secret')
  await symlink(path.join(root, 'secret'), path.join(folder, 'images', 'link.raw'))
  for (const source of ['../secret', 'images/link.raw', pathToFileURL(path.join(root, 'secret')).href]) {
    await expect(imageFiles(folder)(source, 1)).rejects.toMatchObject({ code: 'SourceNotAllowed' })
  }
})
