// Values of facts that several kinds share.

/** As `Liveness` of controllers/ports/fleet.ts. */
export const LIVENESS = ['Unheard', 'Fresh', 'Stale', 'Braked', 'Superseded'] as const
/** As `BundleState.stage`, with Held for a reverted content that waits for a person. */
export const BUNDLE_STAGES = ['None', 'Pending', 'Staged', 'Applied', 'Reverted', 'Held', 'Refused'] as const
/** Whether anything may be sent at all. */
export const CHANNEL = ['open', 'Braked', 'Superseded'] as const
export const FLAG = [false, true] as const

/** Rows for what lives by a bundle that its node does not run; `missing` is the fact that says so. */
export function bundleNotApplied<K extends string>(missing: K) {
  const when = <S extends string>(bundle: S) => ({ bundle, [missing]: false }) as { bundle: S } & Record<K, false>
  const reason = 'NodeBundleNotApplied'
  return [
    {
      when: when('Held' as const),
      verdict: 'Stalled' as const,
      reason,
      message:
        'node {node} went back to its previous bundle, which lacks this; ppn describe node/{node} says what to do',
    },
    {
      when: when('Reverted' as const),
      verdict: 'Reconciling' as const,
      reason,
      message: 'node {node} went back to its previous bundle, which lacks this; the new one is tried again',
    },
    {
      when: when('Refused' as const),
      verdict: 'Stalled' as const,
      reason,
      message: 'node {node} refuses its bundle: {bundleReason}',
    },
  ]
}

/** Rows for a node that is not heard: law 2. `node` is what the message calls it. */
export function unseen() {
  return [
    {
      when: { channel: 'Superseded' as const },
      verdict: 'Unknown' as const,
      reason: 'Superseded',
      message: 'a newer authority rules this mesh; this one sends nothing and knows nothing',
    },
    {
      when: { liveness: 'Superseded' as const },
      verdict: 'Unknown' as const,
      reason: 'Superseded',
      message: 'node {node} has heard a newer authority; nothing is sent to it',
    },
    {
      when: { liveness: 'Braked' as const },
      verdict: 'Unknown' as const,
      reason: 'Braked',
      message: 'the brake is set, so node {node} has not been asked',
    },
    {
      when: { liveness: 'Unheard' as const },
      verdict: 'Unknown' as const,
      reason: 'Unheard',
      message: 'node {node} has not been heard since this authority started',
    },
    {
      when: { liveness: 'Stale' as const },
      verdict: 'Unknown' as const,
      reason: 'Silent',
      message: 'node {node} has been silent since {since}',
    },
  ]
}
