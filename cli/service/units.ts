// The files that make services of agent and authority on a machine with systemd. Pure; each line that is not as strict
// as systemd.exec(5) allows says why.

export type Service = 'agent' | 'authority'

export interface Installation {
  /** Absolute paths of Node and of ppn's entry. */
  node: string
  entry: string
  /** Major version; undefined: not known. RestartSteps came with 254 (Debian 13). */
  systemd?: number
}

export interface InstalledFile {
  path: string
  text: string
}

/**
 * V8 would let the young generation grow to 16 MiB in an idle process: 9 MiB resident for nothing. One thread beside the
 * main one is enough for its chores; of its compilers the interpreter and the last are, and 2 MiB are saved.
 */
export const NODE_FLAGS = '--max-semi-space-size=1 --v8-pool-size=1 --no-sparkplug --no-maglev'
/** Each thread would have a heap of malloc of its own: see mallopt(3). */
export const MALLOC_ARENAS = 'MALLOC_ARENA_MAX=2'
const quoted = (word: string) =>
  /[\s"'\\$%]/.test(word) ? `"${word.replace(/[\\"$%]/g, (c) => (c === '$' || c === '%' ? c + c : `\\${c}`))}"` : word
const steps = ({ systemd = 0 }: Installation) => (systemd >= 254 ? 'RestartSteps=6\nRestartMaxDelaySec=60s\n' : '')

/** Of both services. MemoryDenyWriteExecute is not here: V8 compiles to memory that it then runs. */
const HARDENED = `LockPersonality=yes
NoNewPrivileges=yes
PrivateMounts=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectSystem=strict
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
UMask=0077
`

const agentUnit = (installed: Installation) => `[Unit]
Description=ppn agent: tunnels and virtual machines of this node
After=network.target time-sync.target
Wants=network.target
# Losing everything else stops nothing: the agent is tried for ever.
StartLimitIntervalSec=0

[Service]
Type=notify
# systemd-notify speaks for us: Node has no datagram sockets of the Unix family.
NotifyAccess=all
Environment=${MALLOC_ARENAS}
ExecStart=${quoted(installed.node)} ${NODE_FLAGS} ${quoted(installed.entry)} agent
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2s
${steps(installed)}WatchdogSec=90s
# A first start may make disks from images.
TimeoutStartSec=30min
TimeoutStopSec=30s
# Only the agent ends: wireguard-go stays here, QEMU has a scope of its own in ppn.slice.
KillMode=process
StateDirectory=ppn
StateDirectoryMode=0700
RuntimeDirectory=ppn wireguard
# Each VM's user passes through to its own folder.
RuntimeDirectoryMode=0711
# The sockets of what runs on.
RuntimeDirectoryPreserve=yes
ConfigurationDirectory=ppn
MemoryHigh=256M
MemoryMax=512M
TasksMax=512
LimitNOFILE=65536

# NET_ADMIN: interface, routes, firewall. SETUID, SETGID, CHOWN, KILL: QEMU as its own user. DAC_OVERRIDE: the sockets
# in that user's folders.
CapabilityBoundingSet=CAP_NET_ADMIN CAP_SETUID CAP_SETGID CAP_CHOWN CAP_KILL CAP_DAC_OVERRIDE
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw
DeviceAllow=/dev/kvm rw
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
# seccomp: QEMU puts a filter of its own on itself.
SystemCallFilter=@system-service seccomp
SystemCallErrorNumber=EPERM
# Not ProtectKernelTunables: a hub switches forwarding on for the mesh's interface, in /proc/sys/net.
${HARDENED}
[Install]
WantedBy=multi-user.target
`

const authorityUnit = (installed: Installation) => `[Unit]
Description=ppn authority: control plane of the fleet declared in /etc/ppn/fleet
# Beside an agent it speaks from that agent's mesh address.
After=network.target time-sync.target ppn-agent.service
Wants=network.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=all
User=ppn
Group=ppn
ExecStart=${quoted(installed.node)} ${quoted(installed.entry)} authority
Restart=always
RestartSec=2s
${steps(installed)}WatchdogSec=90s
TimeoutStartSec=5min
TimeoutStopSec=30s
StateDirectory=ppn-authority
StateDirectoryMode=0700
# Members of the group ppn reach the admin socket in here.
RuntimeDirectory=ppn-authority
RuntimeDirectoryMode=0750
MemoryHigh=768M
MemoryMax=1G
TasksMax=256
LimitNOFILE=65536

CapabilityBoundingSet=
AmbientCapabilities=
PrivateDevices=yes
PrivateUsers=yes
ProcSubset=pid
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
${HARDENED}
[Install]
WantedBy=multi-user.target
`

/** sysusers.d(5). Neither can log in; `ppn` is also the group of those who may ask the authority. */
const USERS: Record<Service, string> = {
  agent: 'u ppn-vm - "ppn virtual machines" / /usr/sbin/nologin\n',
  authority: 'u ppn - "ppn authority" /var/lib/ppn-authority /usr/sbin/nologin\n',
}

/** tmpfiles.d(5): folders that a person fills, with the rights they should have. */
const FOLDERS: Record<Service, string> = {
  agent: 'd /srv/ppn 0755 root root -\nd /srv/ppn/images 0755 root root -\n',
  authority: 'd /etc/ppn 0755 root root -\nd /etc/ppn/fleet 2750 root ppn -\n',
}

export const unitName = (service: Service) => `ppn-${service}.service`

export function serviceFiles(service: Service, installed: Installation): InstalledFile[] {
  const text = service === 'agent' ? agentUnit(installed) : authorityUnit(installed)
  return [
    { path: `/etc/systemd/system/${unitName(service)}`, text },
    { path: `/etc/sysusers.d/ppn-${service}.conf`, text: USERS[service] },
    { path: `/etc/tmpfiles.d/ppn-${service}.conf`, text: FOLDERS[service] },
  ]
}
