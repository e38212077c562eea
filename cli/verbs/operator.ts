// `ppn operator`: the key that speaks over the head of any authority. Its secret half is read from a sealed file, with a
// passphrase that is never an argument (law 10).
import { resolve } from 'node:path'
import { keyOf } from '../../api/meta.ts'
import { connectAdmin } from '../../authority/admin/client.ts'
import { addDocument } from '../../authority/keys/documents.ts'
import { readCard } from '../../authority/keys/fleet-card.ts'
import { OPERATOR_FILE, OPERATOR_PUBLIC_FILE, readKeys, takeOperatorKey } from '../../authority/keys/keys.ts'
import { openOperatorKey, sealOperatorKey } from '../../authority/keys/operator-file.ts'
import { replaceAuthority } from '../../authority/keys/replace.ts'
import { recordedTerm } from '../../authority/term/raise.ts'
import { diskFiles } from '../../base/disk-files.ts'
import type { Files } from '../../base/files.ts'
import { systemRandom } from '../../base/random.ts'
import { fingerprint, fromBase64, generateEd25519, type KeyPair, toBase64 } from '../../protocol/keys.ts'
import { armorOperatorDocument, type OperatorDocument, sealOperatorDocument } from '../../protocol/operator/document.ts'
import { readState } from '../../stores/sqlite/read-state.ts'
import { checkStateFolder } from '../../stores/sqlite/state-folder.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { writeNew } from '../new-file.ts'
import { readPassphrase } from '../passphrase.ts'
import { requireAdmin } from '../state.ts'

interface Passphrase {
  passphraseFile?: string
}

async function stopped(folder: string): Promise<string> {
  if (await connectAdmin(folder)) throw new CliError(EXIT.failed, `an authority runs on ${folder}`, 'stop it first')
  return checkStateFolder(folder)
}

async function openKey(io: Io, file: string, options: Passphrase): Promise<KeyPair> {
  const { readFile } = await import('node:fs/promises')
  const bytes = new Uint8Array(await readFile(resolve(io.cwd, file)))
  return openOperatorKey(bytes, await readPassphrase(io, options.passphraseFile, 'passphrase of the operator key: '))
}

const secretIn = async (keys: Files): Promise<Uint8Array | undefined> => {
  const text = await keys.read(OPERATOR_FILE)
  return text && fromBase64(Buffer.from(text).toString('utf8').trim(), 32)
}

/**
 * `ppn operator init --out FILE`: the key that the first start of an authority left in its folder moves into the file;
 * for a folder that has none yet, one is made for its first start.
 */
export async function operatorInit(io: Io, options: Passphrase & { out: string; state?: string }): Promise<ExitCode> {
  const keys = options.state === undefined ? undefined : diskFiles(resolve(io.cwd, options.state)).sub('keys')
  const found = keys && (await secretIn(keys))
  if (keys && !found && (await keys.read('authority')))
    throw new CliError(EXIT.failed, 'its operator key is offline already', 'to change it: ppn operator rotate')
  const passphrase = await readPassphrase(io, options.passphraseFile, 'passphrase for the operator key: ')
  const secretKey = found ?? generateEd25519(systemRandom).secretKey
  const sealed = await sealOperatorKey(secretKey, passphrase, systemRandom)
  const { publicKey } = await openOperatorKey(sealed, passphrase)
  const path = await writeNew(io, options.out, sealed)
  if (keys && found) await keys.remove(OPERATOR_FILE)
  else if (keys) await keys.write(OPERATOR_PUBLIC_FILE, Buffer.from(`${toBase64(publicKey)}\n`))
  io.out(`operator key ${fingerprint(publicKey)}\n${path}: keep it and its passphrase off this machine\n`)
  return EXIT.ok
}

/** `ppn operator card --out FILE`: what a new authority has to know when there is no backup. Nothing in it is secret. */
export async function operatorCard(io: Io, options: { out: string; state?: string }): Promise<ExitCode> {
  const card = await (await requireAdmin(io, options.state)).fleetCard()
  const path = await writeNew(io, options.out, `${JSON.stringify(card, null, 2)}\n`)
  io.out(`${path}: ${card.nodes.length} nodes; make it anew when a node joins or changes its keys\n`)
  return EXIT.ok
}

/** `ppn operator replace-authority`: other keys in a state folder, or a folder for an authority that is gone. */
export async function operatorReplace(
  io: Io,
  options: Passphrase & {
    operator: string
    state: string
    card?: string
    address?: string[]
    term?: string
    out: string
  },
): Promise<ExitCode> {
  const folder = await stopped(resolve(io.cwd, options.state))
  const card = options.card === undefined ? undefined : readCard(await io.read(options.card))
  const files = diskFiles(folder)
  const state = readState(folder)
  if (card && (state || (await files.sub('keys').read('authority'))))
    throw new CliError(EXIT.failed, `${folder} holds an authority already`, 'leave --card out, or name an empty folder')
  const addresses = options.address ?? card?.authorityAddresses ?? []
  if (addresses.length === 0)
    throw new CliError(EXIT.usage, 'where will it speak from?', 'give its mesh address with --address')
  const known = state && recordedTerm({ get: (key) => state.records.find((record) => record.key === key) })
  const term = options.term === undefined ? Math.max(known ?? 0, card?.term ?? 0) : Number(options.term)
  const operator = await openKey(io, options.operator, options)
  const { raw, document } = await replaceAuthority({
    ...{ files, clock: io.clock, random: systemRandom, operator, term, addresses },
    ...(card && { card }),
  })
  const path = await writeNew(io, options.out, armorOperatorDocument(raw))
  io.out(`new authority ${fingerprint(fromBase64(document.authority.signingPublicKey))}, above term ${document.term}\n`)
  io.out(`start it with: ppn up DIR --state ${options.state}\n`)
  io.out(`it tells every node itself; where it reaches none: ppn agent import ${path} on the node\n`)
  return EXIT.ok
}

/** `ppn operator rotate`: the old key signs the next one; the authority tells its nodes from its next start on. */
export async function operatorRotate(
  io: Io,
  options: Passphrase & { operator: string; state: string; out: string },
): Promise<ExitCode> {
  const folder = await stopped(resolve(io.cwd, options.state))
  const files = diskFiles(folder).sub('keys')
  const keys = await readKeys(files)
  const old = await openKey(io, options.operator, options)
  if (toBase64(old.publicKey) !== toBase64(keys.operator.publicKey))
    throw new CliError(EXIT.failed, `this fleet has pinned ${fingerprint(keys.operator.publicKey)}`, 'give that key')
  const passphrase = await readPassphrase(io, options.passphraseFile, 'passphrase for the next operator key: ')
  const next = generateEd25519(systemRandom)
  await writeNew(io, options.out, await sealOperatorKey(next.secretKey, passphrase, systemRandom))
  const document: OperatorDocument = {
    version: 1,
    type: 'operator',
    meshId: keys.meshId,
    issuedMs: io.clock.now(),
    operatorKey: toBase64(next.publicKey),
  }
  await addDocument(files, sealOperatorDocument(document, old.secretKey), document)
  await takeOperatorKey(files, keys, next.publicKey)
  io.out(`operator key ${fingerprint(next.publicKey)}; every node takes it with its next bundle\n`)
  io.out('keep the old file until ppn get nodes shows all Ready\n')
  return EXIT.ok
}

/**
 * `ppn operator override NAME`: the disk that lies on the archive's node may start under the epoch it is declared with,
 * whatever its sidecar and the node's fence say (law 7). Whoever signs answers for it that no other copy runs.
 */
export async function operatorOverride(
  io: Io,
  name: string,
  options: Passphrase & { operator: string; namespace: string; state?: string; out: string },
): Promise<ExitCode> {
  const client = await requireAdmin(io, options.state)
  const { node, bundle } = (await client.explain(keyOf('Archive', name, options.namespace))) ?? {}
  const entry = bundle?.content?.archives.find((one) => one.name === name && one.namespace === options.namespace)
  const { meshId, nodes } = await client.fleetCard()
  const nodeId = nodes.find((one) => one.node === node)?.nodeId
  if (!entry || nodeId === undefined)
    throw new CliError(EXIT.failed, `${name} is in no node's bundle`, 'it has to be placed first: ppn describe archive')
  const { secretKey } = await openKey(io, options.operator, options)
  const document: OperatorDocument = {
    ...{ version: 1, type: 'override', meshId, issuedMs: io.clock.now() },
    ...{ nodeId, archive: entry.id, fencingEpoch: entry.fencingEpoch },
  }
  const path = await writeNew(io, options.out, armorOperatorDocument(sealOperatorDocument(document, secretKey)))
  io.out(`${options.namespace}/${name} may start on ${node} under epoch ${entry.fencingEpoch}\n`)
  io.out(`make sure that no other copy runs, then on ${node}: ppn agent import ${path}\n`)
  return EXIT.ok
}
