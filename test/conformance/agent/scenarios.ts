// What any agent does with commands and bundles, each as it shows in telemetry. The outcomes written there are those
// of DESIGN section 7; both agents have to come to them.
import { ARCHIVES } from './scenarios/archives.ts'
import { BUNDLES } from './scenarios/bundles.ts'
import { COMMANDS } from './scenarios/commands.ts'
import type { Scenario } from './scenarios/look.ts'
import { RESTARTS } from './scenarios/restarts.ts'
import { TELEMETRY } from './scenarios/telemetry.ts'

export const SCENARIOS: readonly Scenario[] = [...COMMANDS, ...RESTARTS, ...BUNDLES, ...ARCHIVES, ...TELEMETRY]
