// What an API server of Kubernetes answers.
import { rawRecord } from '../../../../stores/kube/raw-record.ts'
import { watchEvent } from '../../../../stores/kube/watch-event.ts'
import { accepted, declared, type FuzzedParser, jsonOf, utf8 } from '../parser.ts'

const events: FuzzedParser = {
  name: 'kube-watch',
  faces: 'socket',
  covers: ['stores/kube/watch-event.ts#watchEvent', 'stores/kube/raw-record.ts#rawRecord'],
  shape: 'json',
  valid: [
    jsonOf({ type: 'ADDED', object: { metadata: { resourceVersion: '7' }, key: 'term', value: '3' } }),
    jsonOf({ type: 'BOOKMARK', object: { kind: 'Node', metadata: { resourceVersion: '8' } } }),
    jsonOf({ type: 'ERROR', object: { code: 410, message: 'too old' } }),
  ],
  read: (input) =>
    declared(['ZodError', 'SyntaxError'], () => {
      const event = watchEvent(JSON.parse(utf8(input)))
      if (event.type === 'ADDED') rawRecord(event.object)
      return accepted()
    }),
}

export const CLUSTER: readonly FuzzedParser[] = [events]
