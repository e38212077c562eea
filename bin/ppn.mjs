#!/usr/bin/env node
// The launcher: runs on Node 20, starts ppn on Node 24.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { execInstead } from './exec.mjs'
import { findNode24, noNode24Message } from './node24.mjs'

const built = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const source = fileURLToPath(new URL('../cli/main.ts', import.meta.url))
const entry = existsSync(source) ? source : built

const node = findNode24()
if (!node) {
  process.stderr.write(noNode24Message())
  process.exit(69) // EX_UNAVAILABLE of sysexits(3)
}
await execInstead(node, [entry, ...process.argv.slice(2)], { tether: true })
