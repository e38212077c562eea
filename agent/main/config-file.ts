import { readFile } from 'node:fs/promises'
import { PpnError } from '../../base/errors.ts'
import { AGENT_CONFIG, type AgentConfig, parseAgentConfig } from './config.ts'

/** The text of the configuration; empty when the default file is not there. Throws ConfigMissing. */
export async function readConfigFile(given: string | undefined): Promise<{ file: string; text: string }> {
  const file = given ?? AGENT_CONFIG
  try {
    return { file, text: await readFile(file, 'utf8') }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    if (given !== undefined) throw new PpnError('ConfigMissing', { file })
    return { file, text: '' }
  }
}

/** Throws SettingsInvalid and ConfigMissing. */
export async function loadAgentConfig(given: string | undefined): Promise<AgentConfig> {
  const { file, text } = await readConfigFile(given)
  return parseAgentConfig(file, text)
}
