// `npm run image`: builds the Containerfile without a registry and tries what it made. The two bases it names are made here
// of Debian's packages and put under their names, so this proves the Containerfile and what it adds, not those bases.
// Needs root, buildah and mmdebstrap; minutes.
import { cp, mkdir, mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Ran, runOk, systemProcesses } from '../../base/processes.ts'
import { leadInImage } from './lead.ts'

const WITHIN_MS = 30 * 60_000
/** The names that Containerfile has. */
const BUILD = 'docker.io/library/node:24-bookworm-slim'
const BASE = 'gcr.io/distroless/cc-debian12:nonroot'
/** What gcr.io/distroless/cc-debian12 is made of. */
const BASE_PACKAGES = 'libc6,libgcc-s1,libstdc++6,libgomp1,ca-certificates,netbase,tzdata,base-files'
/** What its steps run besides Node and npm. */
const BUILD_PACKAGES = 'base-files,bash,coreutils,dash,findutils,grep,libatomic1,libc6,libstdc++6,sed,netbase'
/** e_machine of elf(5), at this offset: EM_X86_64, EM_AARCH64. */
const E_MACHINE = 18
const MACHINES = { amd64: 62, arm64: 183 } as const
type Architecture = keyof typeof MACHINES

const processes = systemProcesses()
const say = (line: string) => void process.stdout.write(`${line}\n`)
const root = join(import.meta.dirname, '../..')

const folder = await mkdtemp(join(tmpdir(), 'ppn-image-'))
const at = (name: string) => join(folder, name)
const STORE = ['--root', at('store'), '--runroot', at('run'), '--storage-driver', 'overlay']
const buildah = async (...args: string[]) =>
  (await runOk(processes, 'buildah', [...STORE, ...args], { timeoutMs: WITHIN_MS, cwd: root })).trim()

/** Unpacked and not configured: nothing of it has to run here, so any architecture will do. */
async function debian(file: string, architecture: Architecture, packages: string): Promise<string> {
  const args = ['--variant=extract', `--architectures=${architecture}`, `--include=${packages}`, 'bookworm', at(file)]
  await runOk(processes, 'mmdebstrap', args, { timeoutMs: WITHIN_MS })
  return at(file)
}

async function makeImage(name: string, parts: string[], env: string[] = []): Promise<void> {
  const made = await buildah('from', 'scratch')
  for (const part of parts) await buildah('add', '-q', made, part, '/')
  if (env.length > 0) await buildah('config', ...env.flatMap((one) => ['--env', one]), made)
  await buildah('commit', '-q', '--rm', made, name)
}

/** Node as we run, npm as it is here, and this machine's trust. */
async function nodeFolder(): Promise<string> {
  const npm = (await runOk(processes, 'npm', ['root', '-g'])).trim()
  const local = at('node/usr/local')
  await mkdir(join(local, 'bin'), { recursive: true })
  await cp(process.execPath, join(local, 'bin/node'))
  await cp(join(npm, 'npm'), join(local, 'lib/node_modules/npm'), { recursive: true })
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin/npm'))
  await mkdir(at('node/etc/ssl/certs'), { recursive: true })
  await cp('/etc/ssl/certs/ca-certificates.crt', at('node/etc/ssl/certs/here.crt'))
  return at('node')
}

async function build(architecture: Architecture): Promise<string> {
  const began = Date.now()
  await makeImage(BASE, [await debian(`base-${architecture}.tar`, architecture, BASE_PACKAGES)])
  const tag = `localhost/ppn:${architecture}`
  // Not by --platform: buildah would look for a base of another variant (arm64/v8) than the one made here. Nothing of the
  // target runs, so what it gets is the same.
  const platforms = [
    `TARGETARCH=${architecture}`,
    `BUILDPLATFORM=linux/${process.arch === 'arm64' ? 'arm64' : 'amd64'}`,
  ]
  const said = platforms.flatMap((one) => ['--build-arg', one])
  await buildah('bud', '--isolation', 'chroot', '--pull-never', '--layers', ...said, '-t', tag, '.')
  const inside = await buildah('from', '--pull-never', tag)
  const mounted = await buildah('mount', inside)
  const program = await open(join(mounted, 'opt/ppn/bin/node'))
  const { buffer } = await program.read(Buffer.alloc(2), 0, 2, E_MACHINE)
  await program.close()
  must(buffer.readUInt16LE() === MACHINES[architecture], `Node is for ${architecture}`)
  const size = (await runOk(processes, 'du', ['-sm', mounted])).split('\t')[0]
  say(`${tag}: ${size} MB, built in ${Math.round((Date.now() - began) / 1000)} s`)
  return inside
}

function must(well: boolean, what: string): void {
  say(`${well ? 'ok   ' : 'FAILS'} ${what.trim()}`)
  if (!well) process.exitCode = 1
}

const inside = (container: string, ...command: string[]): Promise<Ran> =>
  processes.run('buildah', [...STORE, 'run', '--isolation', 'chroot', container, '--', ...command], {
    timeoutMs: WITHIN_MS,
  })

try {
  const slim = await debian('build.tar', 'amd64', BUILD_PACKAGES)
  await makeImage(
    BUILD,
    [slim, await nodeFolder()],
    ['NODE_EXTRA_CA_CERTS=/etc/ssl/certs/here.crt', 'PATH=/usr/local/bin:/usr/bin:/bin'],
  )
  const container = await build('amd64')
  const version = await inside(container, 'ppn', 'version')
  must(
    version.exitCode === 0 && /\d+\.\d+\.\d+/.test(version.stdout),
    `ppn version: ${version.stdout || version.stderr}`,
  )
  await writeFile(at('who.mjs'), 'console.log(process.getuid(), process.version)')
  await buildah('add', '-q', container, at('who.mjs'), '/who.mjs')
  const who = await inside(container, '/opt/ppn/bin/node', '/who.mjs')
  must(
    who.stdout.trim() === `65532 ${process.version}`,
    `runs as user 65532 on Node as here: ${who.stdout || who.stderr}`,
  )
  const shell = await inside(container, '/bin/sh', '-c', 'true')
  must(shell.exitCode !== 0, 'no shell')
  const keyless = await inside(container, 'ppn', 'authority', '--cluster')
  must(keyless.stderr.includes('KeysNotMounted'), `without keys the authority names what is missing: ${keyless.stderr}`)
  const led = await leadInImage(['buildah', ...STORE, 'run', '--isolation', 'chroot'], container, folder)
  must(led.readyz.includes('[+]serving'), `its authority leads on a cluster:\n${led.readyz || led.words}`)
  must(led.exitCode === 0, `and ends when asked: ${led.words.trim().split('\n').at(-1)}`)
  await build('arm64')
} finally {
  await buildah('rm', '--all').catch(() => {})
  await rm(folder, { recursive: true, force: true })
}
