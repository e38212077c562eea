// A tiny archive image for tests and for people: made once from Debian packages, kept outside the repository.
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PpnError } from '../../base/errors.ts'
import { holdAbstractLock, type Lock } from '../../base/lock.ts'
import { systemProcesses } from '../../base/processes.ts'
import { buildGuest, type GuestImages, inputsDigest } from './build.ts'
import { wantedPackages } from './packages.ts'
import type { GuestVariant } from './variants.ts'

export type { GuestVariant } from './variants.ts'

export interface GuestImage {
  path: string
  sha256: string
  format: 'raw' | 'qcow2'
}

const LOCK_RETRY_MS = 200
const MANIFEST = 'manifest.json'
const processes = systemProcesses()

/** $XDG_CACHE_HOME/ppn. */
function cacheFolder(): string {
  return path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'ppn')
}

/**
 * The raw disk image of a guest, built if it is not kept yet (half a minute; later calls take half a second). Nobody
 * may write to it: make a copy, or run it with `snapshot=on`. Several processes may ask at once.
 */
export async function guestImage(variant: GuestVariant = 'willing'): Promise<GuestImage> {
  const { file, sha256 } = (await guestImages())[variant]
  return { path: file, sha256, format: 'raw' }
}

export async function guestImages(): Promise<GuestImages> {
  const packages = await wantedPackages(processes)
  const folder = path.join(cacheFolder(), `guest-${await inputsDigest(packages)}`)
  const kept = await manifest(folder)
  if (kept) return kept
  const lock = await waitForLock(folder)
  try {
    return (await manifest(folder)) ?? (await build(folder, packages))
  } finally {
    await lock.release()
  }
}

/** Whole or not at all: the manifest comes last. */
async function build(folder: string, packages: Awaited<ReturnType<typeof wantedPackages>>): Promise<GuestImages> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const images = await buildGuest(processes, packages, folder)
  await writeFile(path.join(folder, `${MANIFEST}.new`), JSON.stringify(images, undefined, 2))
  await rename(path.join(folder, `${MANIFEST}.new`), path.join(folder, MANIFEST))
  return images
}

async function manifest(folder: string): Promise<GuestImages | undefined> {
  const text = await readFile(path.join(folder, MANIFEST), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as GuestImages)
}

async function waitForLock(folder: string): Promise<Lock> {
  for (;;) {
    try {
      return await holdAbstractLock(`ppn-guest:${folder}`)
    } catch (error) {
      if (!(error instanceof PpnError) || error.code !== 'FileLocked') throw error
      await sleep(LOCK_RETRY_MS)
    }
  }
}
