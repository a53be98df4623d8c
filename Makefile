# The two commands of the README, and what they are made of. Each step is an ordinary playbook or command.
PLAYBOOK = .venv/bin/ansible-playbook
INVENTORY ?= inventories/demo/hosts.yml

.PHONY: demo lab site verify uninstall lab-down setup setup-test setup-bench lint sanity unit integration molecule test test-all vm bench

demo: lab site verify  ## Everything from nothing: a lab of three nodes, its pod network, and the proof
	@scripts/look-around.sh

setup:
	@scripts/setup.sh

setup-test:
	@scripts/setup.sh test

setup-bench:
	@scripts/setup.sh bench

lab: setup  ## Bring the lab's nodes up
	$(PLAYBOOK) -i $(INVENTORY) playbooks/lab_up.yml

site: setup  ## Make the nodes what the inventory says
	$(PLAYBOOK) -i $(INVENTORY) playbooks/site.yml

verify: setup  ## Probe all pods from all pods
	$(PLAYBOOK) -i $(INVENTORY) playbooks/verify.yml

uninstall: setup  ## Make the nodes what they were before
	$(PLAYBOOK) -i $(INVENTORY) playbooks/uninstall.yml

lab-down: setup  ## Remove every trace of the lab
	$(PLAYBOOK) -i $(INVENTORY) playbooks/lab_down.yml

test: setup-test  ## All tests, of those on virtual machines one scenario
	scripts/test.sh

test-all: setup-test  ## All of those, too: hours where machines are emulated
	scripts/test.sh lint unit sanity integration molecule vm

lint: setup-test
	scripts/test.sh lint

sanity: setup-test
	scripts/test.sh sanity

unit: setup-test
	scripts/test.sh unit

integration: setup-test
	scripts/test.sh integration

molecule: setup-test
	scripts/test.sh molecule

vm: setup-test
	scripts/test.sh vm

bench: setup-bench  ## Tables of ratios against what one would use instead
	scripts/test.sh bench
