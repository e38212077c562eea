// `ppn join ADDRESS`, at the machine that joins. Loads nothing of the authority.
import { hostname } from 'node:os'
import { importBundle } from '../../agent/bundles/import.ts'
import { initAgentKeys, publicHalves } from '../../agent/keys/agent-keys.ts'
import { loadPins } from '../../agent/keys/pins.ts'
import type { DigitsVerdict } from '../../agent/pairing/attempt.ts'
import { dialPairing } from '../../agent/pairing/dial.ts'
import { joinFleet } from '../../agent/pairing/join.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { createLogger } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { spaced } from '../output/digits.ts'
import { isUtf8, joinCode } from '../output/join-code.ts'
import { type Answers, openPrompt } from '../prompt.ts'
import { ppnVersion } from '../version.ts'

export interface JoinOptions {
  stateDir: string
  trustCode?: boolean
  logLevel?: string
}

/** ADDRESS: a host name or IP address of the authority's machine, with a port if it is not 9202. */
export async function join(io: Io, address: string, options: JoinOptions, input?: Answers): Promise<ExitCode> {
  const files = diskFiles(options.stateDir)
  if (await loadPins(files))
    throw new CliError(
      EXIT.failed,
      'this machine is in a fleet already',
      'to leave it: ppn agent --leave --forget, or --purge',
    )
  const identity = publicHalves(await initAgentKeys(files, systemRandom))
  const dial = dialPairing(address, io.clock)
  const prompt = options.trustCode ? undefined : openPrompt(io, input)
  const compare = async (
    digits: string,
    who: { nodeName: string; authorityFingerprint: string },
    over: AbortSignal,
  ): Promise<DigitsVerdict> => {
    io.err(
      `\n  joins as ${who.nodeName}, authority ${who.authorityFingerprint}\n\n      digits   ${spaced(digits)}\n\n`,
    )
    if (!prompt) {
      io.err('  nobody compares them here (--trust-code); the operator types them at the authority\n')
      return 'trustCode'
    }
    for (;;) {
      const answer = await prompt.ask('Does the authority show the same six digits? yes or no: ', {
        signal: over,
        fresh: true,
      })
      if (/^y(es)?$/i.test(answer)) return 'person'
      if (/^no?$/i.test(answer)) return 'differs'
    }
  }
  try {
    const { bundle, authorityFingerprint, nodeName } = await joinFleet(
      {
        identity,
        agentVersion: ppnVersion(),
        hostname: hostname(),
        clock: io.clock,
        random: systemRandom,
        log: createLogger({ level: options.logLevel ?? 'warn', format: 'text', write: io.err }),
        dial,
        show: (secret) => io.err(joinCode(secret, { color: io.color, columns: io.columns(), utf8: isUtf8(io.env) })),
        compare,
      },
      io.signal,
    )
    const { revision } = await importBundle(files, bundle, { authorityFingerprint })
    io.out(`joined as ${nodeName}: bundle of revision ${revision}; a running agent takes it within a second\n`)
    return EXIT.ok
  } catch (error) {
    if (!io.signal.aborted) throw error
    io.err('\nstopped: this machine has not joined; its keys stay, the next call shows a new code\n')
    return EXIT.no
  } finally {
    prompt?.close()
  }
}
