import { Project } from '@opencomputer/sdk';

const project = await Project.create({
  name: 'my-agent',
  template: 'default',
  cpuCount: 2,
  memoryMB: 1024,
  timeoutSec: 600,
});
