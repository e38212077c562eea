// What people write: the fleet's folder, and what they type on a command line.
import { parseAllDocuments } from 'yaml'
import { parseObject } from '../../../../api/parse.ts'
import { parseDuration } from '../../../../cli/duration.ts'
import { parseTargets } from '../../../../cli/resource.ts'
import { parseFile } from '../../../../stores/files/parse-file.ts'
import { parsePlainYaml } from '../../../../stores/files/plain-yaml.ts'
import { accepted, bytesOf, declared, type FuzzedParser, refused, utf8, type Verdict } from '../parser.ts'

const FLEET = `apiVersion: ppn.dev/v1alpha1
kind: Node
metadata:
  name: relay
  labels:
    site: "north"
spec:
  role: hub
  site: cloud
  endpoint: relay.example:51820
---
# a machine in the office
apiVersion: ppn.dev/v1alpha1
kind: Archive
metadata: {name: cluster-totebox-a-1, namespace: default}
spec:
  nodeName: office-1
  runState: Running
  image:
    source: file:///srv/ppn/images/a.img
    sha256: ${'ab'.repeat(32)}
    format: raw
    architecture: amd64
  memory:
    floor: 256Mi
    max: 1Gi
  cpu: {vcpus: 1, weight: 100}
`
const LIST = `apiVersion: v1
kind: List
items:
- apiVersion: ppn.dev/v1alpha1
  kind: Mesh
  metadata:
    name: default
  spec:
    cidr: 10.8.0.0/24
    authorityNodes: &nodes
    - relay
`

const folder: FuzzedParser = {
  name: 'yaml-folder',
  faces: 'file',
  covers: [
    'stores/files/parse-file.ts#parseFile',
    'stores/common/documents.ts#readDocuments',
    'api/parse.ts#parseObject',
    'api/parse.ts#parseSpec',
  ],
  shape: 'text',
  valid: [bytesOf(FLEET), bytesOf(LIST)],
  read(input) {
    const { definitions, problems, unread } = parseFile('a.yaml', input)
    if (unread && problems.length === 0) throw new Error('not all of it was read, and nobody is told')
    if (problems.some(({ message }) => !message)) throw new Error('a problem without a word')
    return definitions.length > 0 ? accepted() : refused(problems[0]?.code ?? 'nothing in it')
  },
}

/** The fast reader takes a text only if it reads what the full parser reads. */
const plain: FuzzedParser = {
  name: 'plain-yaml',
  faces: 'file',
  covers: ['stores/files/plain-yaml.ts#parsePlainYaml'],
  shape: 'text',
  valid: [
    bytesOf(FLEET.replace(/metadata: \{.*\n/, 'metadata:\n  name: a\n').replace(/cpu: .*\n/, 'cpu:\n    vcpus: 1\n')),
  ],
  read(input) {
    const fast = parsePlainYaml(utf8(input))
    if (!fast) return refused('for the full parser')
    const documents = parseAllDocuments(utf8(input))
    const slow = 'empty' in documents ? [] : documents.map((document) => document.toJS())
    if (JSON.stringify(fast) !== JSON.stringify(slow)) throw new Error('the two parsers read different things')
    return accepted()
  },
}

const object: FuzzedParser = {
  name: 'object',
  faces: 'file',
  covers: ['api/parse.ts#parseObject'],
  shape: 'json',
  valid: parseAllDocuments(FLEET).map((document) => bytesOf(JSON.stringify(document.toJS()))),
  read(input): Verdict {
    let value: unknown
    try {
      value = JSON.parse(utf8(input))
    } catch {
      return refused('no JSON')
    }
    const { type } = parseObject(value)
    return type === 'object' ? accepted() : refused(type)
  },
}

const duration: FuzzedParser = {
  name: 'duration',
  faces: 'person',
  covers: ['cli/duration.ts#parseDuration'],
  shape: 'text',
  valid: [bytesOf('90s'), bytesOf('1h30m'), bytesOf('0.5s')],
  read: (input) =>
    declared(['CliError', 'Error'], () => {
      if (!(parseDuration(utf8(input)) >= 0)) throw new RangeError('no span of time')
      return accepted()
    }),
}

const targets: FuzzedParser = {
  name: 'targets',
  faces: 'person',
  covers: ['cli/resource.ts#parseTargets'],
  shape: 'text',
  valid: [bytesOf('nodes a b'), bytesOf('node/a archive/b'), bytesOf('all')],
  read: (input) =>
    declared(['CliError', 'Error'], () => {
      parseTargets(utf8(input).split(' '))
      return accepted()
    }),
}

export const PEOPLE: readonly FuzzedParser[] = [folder, plain, object, duration, targets]
