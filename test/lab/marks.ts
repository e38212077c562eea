// Everything a lab starts carries its mark in the environment, so that it is found again after any crash, by id and
// never by name. What lost its environment (a daemon that cleans it) is found by the network namespace it lives in.
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface LabMark {
  /** 16 random hex digits: no two labs of one machine share it. */
  id: string
  /** The process without which the lab is an orphan: a test's runner. Absent: it stays until it is told to go. */
  owner?: { pid: number; started: string }
}

const ID = 'PPN_LAB'
const OWNER = 'PPN_LAB_OWNER'
const LOOK_MS = 20
/** The kernel ends a killed process at once, unless it waits for a disk. */
const GONE_WITHIN_MS = 10_000

/** `owned`: the lab ends with this process, at the latest when the next one sweeps. */
export function newMark(owned: boolean): LabMark {
  const id = randomBytes(8).toString('hex')
  const started = startTime(process.pid)
  return owned && started !== undefined ? { id, owner: { pid: process.pid, started } } : { id }
}

export function markEnv({ id, owner }: LabMark): Record<string, string> {
  return { [ID]: id, ...(owner && { [OWNER]: `${owner.pid}@${owner.started}` }) }
}

/** Field 22 of proc(5) /proc/PID/stat: with the pid, it names one process for as long as the machine is up. */
export function startTime(pid: number): string | undefined {
  const stat = procFile(pid, 'stat')
  // The program's name may hold spaces and brackets; what follows the last bracket does not.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

/** Ends all processes of the lab, whatever they are doing, and with them its namespaces and interfaces. */
export async function endMarked(id: string): Promise<void> {
  const deadline = Date.now() + GONE_WITHIN_MS
  for (;;) {
    const left = processesOf((env) => env.get(ID) === id)
    if (left.length === 0) return
    if (Date.now() > deadline) throw new Error(`these processes of lab ${id} do not end: ${left.join(' ')}`)
    for (const pid of left) kill(pid)
    await sleep(LOOK_MS)
  }
}

export const isUp = (id: string): boolean => processesOf((env) => env.get(ID) === id).length > 0

/** Ends the labs whose owner died without taking them down. Returns how many processes that were. */
export async function sweepOrphans(): Promise<number> {
  const orphaned = (env: Map<string, string>): boolean => {
    const [pid, started] = (env.get(OWNER) ?? '').split('@')
    return env.has(ID) && started !== undefined && startTime(Number(pid)) !== started
  }
  const found = processesOf(orphaned)
  for (const pid of found) kill(pid)
  for (let waited = 0; processesOf(orphaned).length > 0 && waited < GONE_WITHIN_MS; waited += LOOK_MS) {
    for (const pid of processesOf(orphaned)) kill(pid)
    await sleep(LOOK_MS)
  }
  return found.length
}

/** The process whose command line ends with these words. */
export function processEndingWith(words: readonly string[]): number | undefined {
  const end = `\0${words.join('\0')}\0`
  const pids = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))
  const found = pids.find((pid) => procFile(Number(pid), 'cmdline')?.endsWith(end))
  return found === undefined ? undefined : Number(found)
}

/** Processes whose environment fits, and whoever else lives in their network namespaces, unless that is ours. */
function processesOf(fits: (env: Map<string, string>) => boolean): number[] {
  const all = readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
  const ours = namespaceOf(process.pid)
  const marked = new Set(all.filter((pid) => fits(environment(pid))))
  const namespaces = new Set([...marked].map(namespaceOf).filter((ns) => ns !== undefined && ns !== ours))
  return all.filter((pid) => marked.has(pid) || (namespaces.size > 0 && namespaces.has(namespaceOf(pid))))
}

function environment(pid: number): Map<string, string> {
  const pairs = (procFile(pid, 'environ') ?? '').split('\0').map((pair): [string, string] => {
    const at = pair.indexOf('=')
    return [pair.slice(0, at), pair.slice(at + 1)]
  })
  return new Map(pairs)
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`)
  } catch {
    return undefined
  }
}

function procFile(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    // It has ended, or is a zombie: nothing to end any more.
    return undefined
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself meanwhile.
  }
}
