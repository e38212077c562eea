// Every figure of the simulated drivers, in one place. Each says where it comes from: a section of DESIGN.md, or
// `chosen`, which means that nobody has measured it yet and the real driver's suite will correct it.

// -- virtual machines (section 8b)

/** From process to guest up: a small Linux under TCG. Chosen. */
export const BOOT_MS = 2_000
/** How fast a willing guest gives memory back or takes it, MiB a second. Chosen: halves a guest of 1 GiB in 2 s. */
export const BALLOON_MIB_PER_SECOND = 256
/** The balloon's own events come no more often than this; section 8b. */
export const BALLOON_EVENT_MS = 1_000
/** No movement for this long is Stuck, or DriverAbsent when the guest never answered; section 8b. */
export const BALLOON_STUCK_MS = 3_000
/** A guest that has less than it needs and cannot take it back panics at its next fork; the time until then is chosen. */
export const SHORTAGE_PANIC_MS = 1_000
/** What a guest cannot do without, as a share of its floor, unless its behaviour says otherwise. Chosen. */
export const NEED_SHARE_OF_FLOOR = 0.5
/** A guest's caches fill what it has at this speed; until then the host has not lost that memory. Chosen. */
export const CACHE_FILL_MIB_PER_SECOND = 16
/** QEMU's own memory beside the guest's; section 5 assumes 128Mi a VM until measured. */
export const VM_OVERHEAD_MIB = 128

/** The stop ladder of section 8b: system_powerdown 30-60 s, quit 10 s, SIGTERM 10 s, SIGKILL. */
export const STOP_LADDER = [
  { step: 'powerdown', limitMs: 30_000 },
  { step: 'quit', limitMs: 10_000 },
  { step: 'sigterm', limitMs: 10_000 },
  { step: 'sigkill', limitMs: 0 },
] as const
/** From system_powerdown to a willing guest's end. Chosen. */
export const SHUTDOWN_MS = 3_000

// -- processors (section 8b: a guest with one processor got 1:2.98 for weights 100:300)

/** Processors that a guest at rest uses. Chosen. */
export const IDLE_PROCESSORS = 0.02
/** A new group's cpu.weight; cgroup v2's default. */
export const DEFAULT_WEIGHT = 100

// -- the host

/** A machine's memory and processors, unless it is made with others. Chosen. */
export const HOST_CAPACITY = { memoryMiB: 16_384, cpus: 4 } as const
/** Memory the host itself uses. Chosen; ResourcePool reserves 512Mi for it by default. */
export const HOST_BASE_MIB = 384
/** Below this share of free memory tasks begin to wait for it (PSI rises from 0 to 100 %). Chosen. */
export const PSI_FREE_SHARE = 0.1

// -- images

/** Room for disks on a node. Chosen. */
export const DISK_CAPACITY_MIB = 65_536
/** A simulated disk keeps at most this much of its image. Chosen: a fleet of hundreds fits in a test's folder. */
export const DISK_KEEPS_BYTES = 1_048_576
/** Disks are read and written in chunks of this size; section 7.2. */
export const CHUNK_BYTES = 1_048_576
/** From image to disk. Chosen. */
export const IMAGE_COPY_MS = 200

// -- WireGuard (section 8; names and values of the WireGuard paper, section 6.1)

/** The initiator makes a new handshake when it sends on a session older than this. */
export const REKEY_AFTER_MS = 120_000
/** A session older than this carries nothing; a handshake younger than this keeps its endpoint from being rewritten (section 8). */
export const REJECT_AFTER_MS = 180_000
/** An unanswered handshake is tried again after this. */
export const REKEY_TIMEOUT_MS = 5_000
/** Silence of the other end before that it is suspected and a new handshake begins (10 s and one REKEY_TIMEOUT). */
export const SILENCE_MS = 15_000
/** Bytes of the packets this model counts: handshake initiation, response, keepalive (WireGuard paper, section 5.4). */
export const PACKET_BYTES = { init: 148, resp: 92, data: 32, ack: 32, gone: 0 } as const
