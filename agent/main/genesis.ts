// Genesis on a real machine: its sockets, its screens, its firewall.
import dgram from 'node:dgram'
import { lstat, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { Clock } from '../../base/clock.ts'
import { dialHost } from '../../base/dial.ts'
import { PpnError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import { hostTransport } from '../../base/host-transport.ts'
import type { Logger } from '../../base/log.ts'
import type { Processes } from '../../base/processes.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Connection, Listener } from '../../base/transport.ts'
import { BEACON_PORT } from '../../protocol/beacon.ts'
import { fromBase64 } from '../../protocol/keys.ts'
import type { Agent } from '../agent.ts'
import { endHolding, type GenesisOptions, runGenesis } from '../genesis/genesis.ts'
import { hasHeld } from '../genesis/holding-code.ts'
import { raiseWalls, removeWalls } from '../genesis/walls.ts'
import { loadPins } from '../keys/pins.ts'
import type { AgentConfig } from './config.ts'

export interface HoldOptions {
  config: AgentConfig['holding']
  agent: Agent
  files: Files
  processes: Processes
  clock: Clock
  random: RandomBytes
  log: Logger
  version: string
  /** A person sits at this agent: the same goes there. */
  tell?(text: string): void
}

/**
 * Holds while this machine is in no fleet. In one already, what an earlier holding left goes. Rejects with
 * SettingsInvalid when the operator key of the image cannot be read: a machine that was made to demand its signature
 * never goes without.
 */
export async function holdUntilEnrolled(options: HoldOptions, signal: AbortSignal): Promise<void> {
  const { config, agent, files, processes, clock, random, log } = options
  const gaps = { holdingPort: config.port, open: config.open }
  const walls: GenesisOptions['walls'] = {
    raise: (scanning) => raiseWalls(processes, { ...gaps, ...(scanning && { beaconPort: BEACON_PORT }) }),
    remove: () => removeWalls(processes),
  }
  const screens = screensAt(config.screens, log)
  if (await loadPins(files)) {
    if (!(await hasHeld(files))) return
    screens.show(undefined)
    return endHolding({ files, walls, log })
  }
  const operatorKey = await readOperatorKey(config.operatorKey)
  // What was closed before and shall be so no more.
  if (!config.closed && (await hasHeld(files))) await walls.remove()
  await runGenesis(
    {
      ...{ clock, random, log, files },
      identity: agent.identity,
      agentVersion: options.version,
      hostname: os.hostname(),
      network: {
        listen: (onConnection) => listenEverywhere(config.address, config.port, clock, onConnection),
        ...(config.scan && { hear: hearBeacons }),
        dial: ({ address, port }, until) => dialHost({ host: address, port }, clock, until),
      },
      holdingPort: config.port,
      addresses: ownAddresses,
      ...(config.closed && { walls }),
      ...(operatorKey && { operatorKey }),
      trustCode: config.confirm === 'trustCode',
      show(text) {
        screens.show(text)
        if (text !== undefined) options.tell?.(text)
      },
      take: async (bundle, authorityFingerprint) => void (await agent.importBundle(bundle, { authorityFingerprint })),
      enrolled: async () => (await loadPins(files)) !== undefined,
    },
    signal,
  )
}

/** Base64 of 32 bytes, on one line. Undefined: the image holds none. Throws SettingsInvalid. */
async function readOperatorKey(file: string): Promise<Uint8Array | undefined> {
  try {
    return fromBase64((await readFile(file, 'utf8')).trim(), 32)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new PpnError('SettingsInvalid', { what: `${file} is no operator key: ${(error as Error).message}` })
  }
}

async function listenEverywhere(
  address: string,
  port: number,
  clock: Clock,
  onConnection: (connection: Connection) => void,
): Promise<Listener> {
  const transport = hostTransport(clock)
  try {
    return await transport.listen(address, port, onConnection)
  } catch (error) {
    // A machine without IPv6 still has an IPv4.
    if ((error as NodeJS.ErrnoException).code !== 'EAFNOSUPPORT' || address !== '::') throw error
    return await transport.listen('0.0.0.0', port, onConnection)
  }
}

/** Broadcasts reach only a socket that is bound to every address. */
function hearBeacons(onPacket: (bytes: Uint8Array, from: string) => void): Promise<{ close(): void }> {
  const socket = dgram.createSocket('udp4')
  socket.on('message', (bytes, { address }) => onPacket(new Uint8Array(bytes), address))
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ port: BEACON_PORT, exclusive: true }, () => {
      socket.off('error', reject)
      socket.on('error', () => {})
      resolve({ close: () => socket.close() })
    })
  })
}

/** By which others may call; link-local ones need a zone that only this machine knows. */
function ownAddresses(): string[] {
  return Object.values(os.networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !/^(fe80:|169\.254\.)/i.test(address))
    .map(({ address }) => address)
}

/** Consoles are written to; files, such as one for agetty(8), are replaced and removed. The code is a secret: 0600. */
function screensAt(files: readonly string[], log: Logger): { show(text: string | undefined): void } {
  let writing: Promise<void> = Promise.resolve()
  const put = async (file: string, text: string | undefined) => {
    const device = (await lstat(file).catch(() => undefined))?.isCharacterDevice() ?? false
    if (!device && text === undefined) return rm(file, { force: true })
    if (text === undefined) return
    if (!device) await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, device ? text.replaceAll('\n', '\r\n') : text, { mode: 0o600 })
  }
  return {
    show(text) {
      for (const file of files)
        writing = writing
          .then(() => put(file, text))
          .catch((error) => log.debug({ err: String(error), file }, 'a screen shows nothing'))
    },
  }
}
