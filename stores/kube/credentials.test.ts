import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { findCredentials } from './credentials.ts'

const nowhere = join(tmpdir(), 'ppn-there-is-no-such-folder')
const clock = virtualClock()

test.each([
  ['a machine where nobody has a kubeconfig', {}],
  ['a pod without a token', { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' }],
])('%s names no API server: that is said, and none is made up', async (_, env) => {
  const found = findCredentials({ clock, env: { HOME: nowhere, ...env }, serviceAccount: nowhere })
  await expect(found).rejects.toMatchObject({ code: 'NoKubeConfig' })
})

test('a file that is named and not there is another matter', async () => {
  const found = findCredentials({ clock, env: { KUBECONFIG: join(nowhere, 'config') }, serviceAccount: nowhere })
  await expect(found).rejects.toMatchObject({ code: 'KubeConfigUnusable' })
  await expect(findCredentials({ clock, kubeconfig: join(nowhere, 'config') })).rejects.toMatchObject({
    code: 'KubeConfigUnusable',
  })
})
