from glob import glob

from setuptools import find_packages, setup

NAME = 'charger_control'
BLOCKS = ['fiscal_meter', 'hw_limit', 'smart_charging.node', 'api', 'cppwm_controller.node',
          'iso61851', 'team', 'vcse', 'session']

setup(
    name=NAME,
    version='0.1.0',
    package_dir={'': 'src'},
    packages=find_packages('src'),
    package_data={NAME: ['py.typed', 'drivers/tables/*.yaml', 'bridges/web/openapi.yaml',
                         'bridges/web/static/*']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        (f'share/{NAME}/launch', glob('launch/*.launch.py')),
        (f'share/{NAME}/config', [*glob('config/*.yaml'), 'config/charger.service']),
        (f'share/{NAME}/config/scenarios', glob('config/scenarios/*.yaml')),
    ],
    install_requires=['setuptools'],
    zip_safe=False,
    maintainer='charger_control maintainers',
    maintainer_email='maintainers@charger-control.invalid',
    description='The open charging controller for ROS 2.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'charger = charger_control.cli.main:main',
            'bridge = charger_control.bridges.web.node:main',
            # one executable per block for `ros2 run` and `ros2 launch`, and one that runs several
            # blocks in one process (those that share a serial line)
            'control = charger_control.bringup.container:main',
            *[f'{block.split(".")[0]} = charger_control.nodes.{block}:main' for block in BLOCKS],
        ],
    },
)
